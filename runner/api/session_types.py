"""The kinds of sessions, and what sets them apart on the wire."""

from typing import Final, Literal

from runner.errors import IllegalEvent

SessionType = Literal["realtime", "transcription", "translation"]
"""A conversation, a session that writes down what it hears, and one that interprets it."""

APPEND: Final = "input_audio_buffer.append"
"""How audio is sent, except to a translation."""
TRANSLATION_APPEND: Final = "session.input_audio_buffer.append"
"""How audio is sent to a translation."""
TRANSLATION_CLOSE: Final = "session.close"
"""Asks a translation for its last words, after which the endpoint sends `session.closed`."""

MAX_APPEND_BYTES: Final = 15 * 1024 * 1024
"""The longest base64 text that one event may append, in bytes."""

_TRANSLATION_EVENTS: Final = ("session.update", TRANSLATION_APPEND, TRANSLATION_CLOSE)


def append_type(kind: SessionType) -> str:
    """The type of the client event that brings audio to a session of this kind."""
    return TRANSLATION_APPEND if kind == "translation" else APPEND


def check_translated(event_type: str, *, is_leaving: bool) -> None:
    """Raise `IllegalEvent` for a client event that a translation does not have, or no longer takes."""
    if event_type not in _TRANSLATION_EVENTS:
        msg = f"`{event_type}` cannot be sent: a translation has no such event"
        raise IllegalEvent(msg, hint=f"it takes {', '.join(f'`{each}`' for each in _TRANSLATION_EVENTS)}")
    if is_leaving:
        msg = f"`{event_type}` cannot be sent: the translation was asked for its last words"
        raise IllegalEvent(msg)
