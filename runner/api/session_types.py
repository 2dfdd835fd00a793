"""The kinds of sessions, and what sets them apart on the wire."""

from collections.abc import Collection
from typing import Final, Literal

from runner.errors import IllegalEvent

SessionType = Literal["realtime", "transcription", "translation", "live"]
"""A conversation, a session that writes down what it hears, one that interprets it, and one without turns."""

APPEND: Final = "input_audio_buffer.append"
"""How audio is sent to a conversation and to a transcription."""
TRANSLATION_APPEND: Final = "session.input_audio_buffer.append"
"""How audio is sent to a translation."""
LIVE_APPEND: Final = "session.input_audio.append"
"""How audio is sent to a Live session."""
SESSION_CLOSE: Final = "session.close"
"""Asks a translation for its last words, and a Live session for its end; the endpoint sends `session.closed`."""
LIVE_START: Final = "session.start"
"""The first event of a Live session, which brings its configuration."""
LIVE_CHANGES: Final = frozenset({"delegation", "triggers"})
"""What can be changed about a Live session once it has started."""
TALKING: Final[frozenset[SessionType]] = frozenset({"realtime", "live"})
"""The kinds of sessions that hold a conversation, so that they take text too."""

MAX_APPEND_BYTES: Final = 15 * 1024 * 1024
"""The longest base64 text that one event may append, in bytes."""

APPENDS: Final[dict[SessionType, str]] = {
    "realtime": APPEND,
    "transcription": APPEND,
    "translation": TRANSLATION_APPEND,
    "live": LIVE_APPEND,
}
"""The type of the client event that brings audio, by the kind of the session."""

_OWN_EVENTS: Final[dict[SessionType, Collection[str]]] = {
    "translation": ("session.update", TRANSLATION_APPEND, SESSION_CLOSE),
    "live": (
        LIVE_START,
        "session.update",
        LIVE_APPEND,
        "session.input_audio.mute",
        "session.input_audio.unmute",
        "session.output_audio.fixture.play",
        "session.instructions.append",
        "session.thinking.append",
        "session.commentary.append",
        "response.item.create",
        "response.create",
        "decision.create",
        "decision.item.create",
        "decision.item.delete",
        SESSION_CLOSE,
    ),
}
"""The client events of the kinds of sessions that have no others."""
_NAMES: Final[dict[SessionType, str]] = {"translation": "a translation", "live": "a Live session"}


def check_kind(event_type: str, kind: SessionType, *, is_leaving: bool) -> None:
    """Raise `IllegalEvent` for a client event that this kind of session does not have, or no longer takes."""
    events = _OWN_EVENTS.get(kind)
    if events is None:
        return
    if event_type not in events:
        msg = f"`{event_type}` cannot be sent: {_NAMES[kind]} has no such event"
        raise IllegalEvent(msg, hint=f"it takes {', '.join(f'`{each}`' for each in events)}")
    if is_leaving:
        msg = f"`{event_type}` cannot be sent: {_NAMES[kind]} was asked for its last words"
        raise IllegalEvent(msg)
