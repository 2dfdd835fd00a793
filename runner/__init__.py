"""rt-run: realtime AI sessions from TOML profiles.

The names below are the Python API, with the errors in `runner.errors` and the client events in
`runner.api.client_events`; everything else is internal and may change. Each name is imported when it is first used,
since the command line starts here too.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.profile import LoadedProfile, ProfileProblems, load_profile, make_profile
    from runner.protocol.closing import Concluded
    from runner.protocol.effects import (
        ApprovalAsked,
        AudioDelta,
        Configured,
        Effect,
        ErrorReported,
        EventMalformed,
        EventUnknown,
        FunctionAnswered,
        FunctionCalled,
        Opened,
        Played,
        ResponseEnded,
        ResponseRetried,
        ResponseStarted,
        SessionEnded,
        SpeechStarted,
        SpeechStopped,
        TextCorrected,
        TextDelta,
        TranscriptDelta,
        TranscriptionEnded,
        TranscriptionStarted,
        Truncated,
        TurnEnded,
    )
    from runner.protocol.rate_limits import RateLimitCrossed
    from runner.protocol.server_effects import ServerCalled, ServerListed
    from runner.protocol.side_fields import FieldUnreadable
    from runner.protocol.usage import Usage
    from runner.protocol.user_effects import KeyPressed, SegmentTranscribed, UserIdle
    from runner.session.approvals import ApprovalRequest
    from runner.session.opening import open_session
    from runner.session.pump import Reader
    from runner.session.session import Session
    from runner.session.subscription import Subscription
    from runner.session.update import Update
    from runner.settings.profile import Profile
    from runner.tools.tool_error import ToolError

__version__: str

_HOMES = {
    "runner.errors": ("RunnerError",),
    "runner.profile": ("LoadedProfile", "ProfileProblems", "load_profile", "make_profile"),
    "runner.protocol.closing": ("Concluded",),
    "runner.protocol.effects": (
        "ApprovalAsked",
        "AudioDelta",
        "Configured",
        "Effect",
        "ErrorReported",
        "EventMalformed",
        "EventUnknown",
        "FunctionAnswered",
        "FunctionCalled",
        "Opened",
        "Played",
        "ResponseEnded",
        "ResponseRetried",
        "ResponseStarted",
        "SessionEnded",
        "SpeechStarted",
        "SpeechStopped",
        "TextCorrected",
        "TextDelta",
        "TranscriptDelta",
        "TranscriptionEnded",
        "TranscriptionStarted",
        "Truncated",
        "TurnEnded",
    ),
    "runner.protocol.rate_limits": ("RateLimitCrossed",),
    "runner.protocol.server_effects": ("ServerCalled", "ServerListed"),
    "runner.protocol.side_fields": ("FieldUnreadable",),
    "runner.protocol.usage": ("Usage",),
    "runner.protocol.user_effects": ("KeyPressed", "SegmentTranscribed", "UserIdle"),
    "runner.session.approvals": ("ApprovalRequest",),
    "runner.session.opening": ("open_session",),
    "runner.session.pump": ("Reader",),
    "runner.session.session": ("Session",),
    "runner.session.subscription": ("Subscription",),
    "runner.session.update": ("Update",),
    "runner.settings.profile": ("Profile",),
    "runner.tools.tool_error": ("ToolError",),
}

__all__ = [
    "ApprovalAsked",
    "ApprovalRequest",
    "AudioDelta",
    "Concluded",
    "Configured",
    "Effect",
    "ErrorReported",
    "EventMalformed",
    "EventUnknown",
    "FieldUnreadable",
    "FunctionAnswered",
    "FunctionCalled",
    "KeyPressed",
    "LoadedProfile",
    "Opened",
    "Played",
    "Profile",
    "ProfileProblems",
    "RateLimitCrossed",
    "Reader",
    "ResponseEnded",
    "ResponseRetried",
    "ResponseStarted",
    "RunnerError",
    "SegmentTranscribed",
    "ServerCalled",
    "ServerListed",
    "Session",
    "SessionEnded",
    "SpeechStarted",
    "SpeechStopped",
    "Subscription",
    "TextCorrected",
    "TextDelta",
    "ToolError",
    "TranscriptDelta",
    "TranscriptionEnded",
    "TranscriptionStarted",
    "Truncated",
    "TurnEnded",
    "Update",
    "Usage",
    "UserIdle",
    "__version__",
    "load_profile",
    "make_profile",
    "open_session",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _built_version()
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    return getattr(import_module(home), name)


def _built_version() -> str:
    """The version that the build has written down, or where it has not, that of the installed package."""
    from importlib import import_module

    try:
        return str(import_module("runner._version").__version__)
    except ModuleNotFoundError:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("rt-run")
        except PackageNotFoundError:
            return "0"


def __dir__() -> list[str]:
    return sorted(__all__)
