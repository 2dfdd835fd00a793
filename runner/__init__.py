"""rt-run: realtime AI sessions from TOML profiles.

The names below are the Python API, with the errors in `runner.errors` and the client events in
`runner.api.client_events`; everything else is internal and may change. Each name is imported when it is first used,
since the command line starts here too.
"""

# ruff: noqa: I001  # "as" exports a name to type checkers, and ruff would write a statement for each
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.errors import RunnerError as RunnerError
    from runner.profile import (
        LoadedProfile as LoadedProfile,
        ProfileProblems as ProfileProblems,
        load_profile as load_profile,
        make_profile as make_profile,
    )
    from runner.protocol.closing import Concluded as Concluded
    from runner.protocol.delegations import TaskDelegated as TaskDelegated
    from runner.protocol.effects import (
        ApprovalAsked as ApprovalAsked,
        AudioDelta as AudioDelta,
        Configured as Configured,
        Effect as Effect,
        ErrorReported as ErrorReported,
        FunctionAnswered as FunctionAnswered,
        FunctionCalled as FunctionCalled,
        Opened as Opened,
        Played as Played,
        ResponseEnded as ResponseEnded,
        ResponseRetried as ResponseRetried,
        ResponseStarted as ResponseStarted,
        SessionEnded as SessionEnded,
        SpeechStarted as SpeechStarted,
        SpeechStopped as SpeechStopped,
        TextCorrected as TextCorrected,
        TextDelta as TextDelta,
        TranscriptDelta as TranscriptDelta,
        TranscriptionEnded as TranscriptionEnded,
        TranscriptionStarted as TranscriptionStarted,
        Truncated as Truncated,
        TurnEnded as TurnEnded,
    )
    from runner.protocol.rate_limits import RateLimitCrossed as RateLimitCrossed
    from runner.protocol.server_effects import ServerCalled as ServerCalled, ServerListed as ServerListed
    from runner.protocol.side_fields import FieldUnreadable as FieldUnreadable
    from runner.protocol.unread_events import EventMalformed as EventMalformed, EventUnknown as EventUnknown
    from runner.protocol.usage import Usage as Usage
    from runner.protocol.user_effects import (
        AnswerInterrupted as AnswerInterrupted,
        KeyPressed as KeyPressed,
        SegmentTranscribed as SegmentTranscribed,
        UserIdle as UserIdle,
    )
    from runner.session.approvals import ApprovalRequest as ApprovalRequest
    from runner.session.opening import open_session as open_session
    from runner.session.pump import Reader as Reader
    from runner.session.session import Session as Session
    from runner.session.subscription import Subscription as Subscription
    from runner.session.update import Update as Update
    from runner.settings.profile import Profile as Profile
    from runner.tools.tool_error import ToolError as ToolError

__version__: str

_HOMES = {
    "runner.errors": ("RunnerError",),
    "runner.profile": ("LoadedProfile", "ProfileProblems", "load_profile", "make_profile"),
    "runner.protocol.closing": ("Concluded",),
    "runner.protocol.delegations": ("TaskDelegated",),
    "runner.protocol.effects": (
        "ApprovalAsked",
        "AudioDelta",
        "Configured",
        "Effect",
        "ErrorReported",
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
    "runner.protocol.unread_events": ("EventMalformed", "EventUnknown"),
    "runner.protocol.usage": ("Usage",),
    "runner.protocol.user_effects": ("AnswerInterrupted", "KeyPressed", "SegmentTranscribed", "UserIdle"),
    "runner.session.approvals": ("ApprovalRequest",),
    "runner.session.opening": ("open_session",),
    "runner.session.pump": ("Reader",),
    "runner.session.session": ("Session",),
    "runner.session.subscription": ("Subscription",),
    "runner.session.update": ("Update",),
    "runner.settings.profile": ("Profile",),
    "runner.tools.tool_error": ("ToolError",),
}

__all__ = sorted(["__version__", *(name for names in _HOMES.values() for name in names)])


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
    return __all__
