"""The protocols of outputs: every output writes or plays beside a session, and a player takes the sound of answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from runner.errors import RunnerError

if TYPE_CHECKING:
    from runner.audio.playout import Heard
    from runner.session.session import Session

Fail = Callable[[RunnerError], None]
"""Called once with what went wrong with an output; it must not wait."""


class Output(Protocol):
    """An output writes or plays in a task of its own until it is closed, and never makes the session wait.

    Attributes:
        name: What messages call it.
    """

    name: str

    @property
    def is_finished(self) -> bool:
        """Whether `run` has ended."""

    def begin(self, session: Session) -> None:
        """Learn that the session is open; most outputs need nothing of it."""
        del session

    async def run(self) -> None:
        """Write or play until closed; an error goes to the `Fail` that the output was made with."""

    def close(self) -> None:
        """Let `run` end once what was taken is written; what comes later is ignored."""

    async def finished(self) -> None:
        """Wait for the end of `run`."""


class Piece(NamedTuple):
    """A piece of an answer."""

    item_id: str
    pcm: bytes
    """Its 16-bit samples."""
    rate: int
    """Samples a second."""
    start_s: float
    """When a listener hears it who plays as soon as possible, on the clock of `anyio.current_time`."""


@runtime_checkable
class Player(Output, Protocol):
    """An output for the sound of answers; its methods must not wait."""

    def play(self, piece: Piece) -> None:
        """Play a piece of an answer after all that came before."""

    def cut(self, heard: Sequence[Heard]) -> None:
        """Drop what was not heard: of these items only so much was."""


@runtime_checkable
class AudiblePlayer(Player, Protocol):
    """A player that somebody may be listening to while the session runs.

    Attributes:
        is_silent: Whether silence is heard in place of what is played, which takes its time all the same.
    """

    is_silent: bool


@runtime_checkable
class DevicePlayer(Player, Protocol):
    """A player whose device knows better than any clock what was heard."""

    @property
    def remaining_s(self) -> float:
        """How long what it has will still be heard, in seconds."""

    def stop(self) -> None:
        """Be silent at once; what `heard_ms` says from now on is all that will have been heard."""

    def heard_ms(self, item_id: str) -> float:
        """How much of an item was heard, in milliseconds."""

    def forget(self, item_id: str) -> None:
        """Forget an item that was heard to its end; what comes under its name from now on is counted anew."""
