"""What only a Live session has: two voices without turns, and time that is billed by the second."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from runner.protocol.delegations import Delegations
from runner.protocol.voices import Voices

if TYPE_CHECKING:
    from runner.protocol.voices import Voice


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
        self.delegations = Delegations()
        """What is being done by another model."""
        self.owes_result = False
        """Whether something was done that nothing was said after."""
        self.plays_fixture = False
        """Whether the endpoint plays a recording of the client, which is nobody's turn."""
        self.started_s = 0.0
        """When the session has started, by the client's clock, in seconds."""
        self.last_at_s = 0.0
        """When something was last said, by the client's clock, in seconds."""
        self._numbers: count[int] = before._numbers if before else count(1)  # noqa: SLF001  # of the same class
        self._billed_s = 0.0

    @property
    def is_delegating(self) -> bool:
        """Whether another model is doing something."""
        return bool(self.delegations.open)

    def new_id(self) -> str:
        """The id of another item, which no connection of the session has used."""
        return f"turn_{next(self._numbers)}"

    def bill(self, seconds: float) -> float:
        """Take in how long the session has lasted on this connection; returns how much of it was not billed yet."""
        new_s = max(0.0, seconds - self._billed_s)
        self._billed_s += new_s
        return new_s
