"""What only a Live session has: two voices without turns, and time that is billed by the second."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from runner.protocol.delegations import Delegations
from runner.protocol.spoken_over import SpokenOver
from runner.protocol.voices import PAUSE_S, Voices

if TYPE_CHECKING:
    from runner.protocol.voices import Voice


TURN: Final = "turn_"
"""What the ids of items begin with that are turns of a Live session, which names none."""
_LOOK_S: Final = 0.1
"""How long audio that is late is waited for before a turn is looked at again, in seconds."""


class Live:
    """What is being said in a Live session on one connection.

    Args:
        before: The same on the session's connection before this one; the numbers of the turns go on.

    Attributes:
        voices: Which turns are going on.
        items: The items that the turns going on are in the conversation, by voice.
        last_voice: Whose turn began last; nothing before the first.
    """

    def __init__(self, before: Live | None = None) -> None:
        self.voices = Voices()
        self.items: dict[Voice, str] = {}
        self.last_voice: Voice | None = before.last_voice if before else None
        self.answer = SpokenOver()
        """What the model says or has said last, and whether the user spoke over it."""
        self.delegations = Delegations()
        """What is being done by another model."""
        self.has_unsaid_result = False
        """Whether something was done that nothing was said after."""
        self.plays_fixture = False
        """Whether the endpoint plays a recording of the client, which is nobody's turn."""
        self.started_s = 0.0
        """When the session has started, by the client's clock, in seconds."""
        self.last_at_s = 0.0
        """When something was last said, by the client's clock, in seconds."""
        self.silence_s: float = before.silence_s if before else 0.0
        """How much silence has come between the model's turns, in seconds."""
        self.audio_at_s = 0.0
        """When audio last came, by the client's clock, in seconds."""
        self._numbers: count[int] = before._numbers if before else count(1)  # noqa: SLF001  # of the same class
        self._billed_s = 0.0
        self._left_s: float | None = None

    @property
    def is_delegating(self) -> bool:
        """Whether another model is doing something."""
        return bool(self.delegations.open)

    def known_s(self, now_s: float) -> float:
        """Up to when it is known what the model says, by the client's clock, in seconds."""
        return min(now_s, self.audio_at_s) if self.sends_silence else now_s

    def due_s(self, now_s: float) -> float:
        """When to look whether a turn is over, by the client's clock; infinite without a turn."""
        due_s = self.voices.due_s
        return due_s if due_s > now_s or self.known_s(now_s) >= due_s else now_s + _LOOK_S

    @property
    def sends_silence(self) -> bool:
        """Whether audio comes all the time, so that a voice has not stopped as long as none does."""
        return self.silence_s >= PAUSE_S

    def new_id(self) -> str:
        """The id of another item, which no connection of the session has used."""
        return f"{TURN}{next(self._numbers)}"

    def leave(self) -> None:
        """Another connection carries the session from now on; what this one is billed for yet is no part of that."""
        self._left_s = self._billed_s

    @property
    def late_s(self) -> float:
        """How much was billed since another connection carries the session, in seconds."""
        return 0.0 if self._left_s is None else self._billed_s - self._left_s

    def bill(self, seconds: float) -> float:
        """Take in how long the session has lasted on this connection; returns how much of it was not billed yet."""
        new_s = max(0.0, seconds - self._billed_s)
        self._billed_s += new_s
        return new_s
