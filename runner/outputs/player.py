"""What plays or records the answers of a session, as their playback sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from runner.audio.playout import Heard


class Piece(NamedTuple):
    """A piece of an answer."""

    item_id: str
    pcm: bytes
    """Its 16-bit samples."""
    rate: int
    """Samples a second."""
    start_s: float
    """When it is heard by whoever plays as soon as it can be, on the clock of `time.monotonic`."""


class Player(Protocol):
    """Does something with the audio of answers; nothing of it may wait."""

    def play(self, piece: Piece) -> None:
        """A piece of an answer has come and is to be heard after all that came before."""

    def cut(self, heard: Sequence[Heard]) -> None:
        """Drop what was not heard: of these items only so much was."""


class DevicePlayer(Player, Protocol):
    """A player that knows better than any clock what was heard."""

    @property
    def remaining_s(self) -> float:
        """How long what it has will still be heard, in seconds."""

    def stop(self) -> None:
        """Be silent at once; what `heard_ms` says from now on is all that will have been heard."""

    def heard_ms(self, item_id: str) -> float:
        """How much of an item was heard, in milliseconds."""

    def forget(self, item_id: str) -> None:
        """An item was heard to its end; what comes under its name from now on is counted anew."""
