"""What the endpoint has heard of the user beside words: who spoke, keys, and silence."""

from typing import NamedTuple, final


@final
class SegmentTranscribed(NamedTuple):
    """A part of what the user said is written down, with who said it; the `TurnEnded` of the whole item follows."""

    item_id: str
    text: str
    speaker: str
    """The endpoint's name of the speaker, such as `A`."""
    start_s: float
    """Where it begins in the item's audio, in seconds."""
    end_s: float


@final
class KeyPressed(NamedTuple):
    """The user has pressed a key of the telephone."""

    key: str


@final
class UserIdle(NamedTuple):
    """The user has said nothing for as long as `idle_timeout_ms` of turn detection says; the endpoint speaks up."""

    item_id: str
    """The item that the silence has become."""
    silent_ms: int


class AnswerInterrupted(NamedTuple):
    """The user has spoken over an answer of a Live session, and the model has stopped; it may have ended by then."""

    item_id: str
    heard_ms: int
    """How long it has sounded."""


UserEffect = SegmentTranscribed | KeyPressed | UserIdle | AnswerInterrupted
