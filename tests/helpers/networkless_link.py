"""A connection as the arithmetic of a session sees it: the real state, and no network."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from runner.errors import RunnerError
from runner.protocol.refusals import refuse_doubted
from runner.protocol.state import SessionState
from runner.session.link import Link, NotSent


@dataclass
class StillLink:
    """Notes what it is asked for.

    Attributes:
        is_lost: Whether nothing can be sent any more.
        refused: How many requests were taken for refused, since nothing came to them.
    """

    state: SessionState = field(default_factory=SessionState)
    opened_s: float = 0.0
    clock_behind_s: float = 0.0
    epoch: int = 1
    is_lost: bool = False
    refused: int = 0
    failures: list[RunnerError] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)

    @property
    def pump(self) -> Any:
        """What a connection is given up by."""
        return SimpleNamespace(fail=self.failures.append, refuse_doubted=self._refuse_doubted)

    def _refuse_doubted(self) -> None:
        self.refused += bool(refuse_doubted(self.state))

    async def send(self, event: dict[str, Any]) -> None:
        """Send an event as far as the state allows it."""
        if self.is_lost:
            raise NotSent
        self.sent.append(self.state.send(event))

    def as_link(self) -> Link:
        """The same, by the type that is asked for."""
        return cast("Link", self)
