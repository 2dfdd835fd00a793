"""What the model of a Live session has delegated to a Responses model, which calls functions that the client runs."""

from dataclasses import dataclass
from typing import Final, NamedTuple, final

_MOST: Final = 256
"""So many delegations are followed at once; the oldest is forgotten first."""


@final
class TaskDelegated(NamedTuple):
    """The model of a Live session has delegated a task."""

    delegation_id: str
    target: str
    """Who is to do it: `client`, `responses` or `decisions`."""


@dataclass(slots=True)
class Delegated:
    """One task of a Responses model."""

    response_id: str = ""
    """Its response that came last."""
    request_id: str = ""
    """The `response.create` by which it goes on; nothing before the first."""


class Delegations:
    """The tasks of one connection that are not done.

    Attributes:
        open: The tasks by the ids of their delegations.
        continued: The `response.create`s that no response has followed yet.
    """

    def __init__(self) -> None:
        self.open: dict[str, Delegated] = {}
        self.continued: list[str] = []

    def task(self, delegation_id: str) -> Delegated:
        """The task of this delegation, a new one where it was not announced."""
        if delegation_id not in self.open and len(self.open) >= _MOST:
            del self.open[next(iter(self.open))]
        return self.open.setdefault(delegation_id, Delegated())
