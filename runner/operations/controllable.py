"""The interfaces by which what runs can be controlled; the room `runs` has what fits them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.errors import RunnerError
    from runner.inputs.session_input import SessionInput
    from runner.outputs.outputs import Outputs
    from runner.session.session import Session
    from runner.settings.profile import Profile


class ControllableRun(Protocol):
    """One session of a process, from its opening to its end.

    Attributes:
        number: Which of the process's sessions it is, from 1.
        context: The keys of its log lines: `profile`, `run_id`, and `session_id` once it is open.
        names: The values that paths may contain.
        profile: What it runs by.
        session: Its session, None before it is open.
        input: What goes in.
        outputs: What comes out.
        started_s: When it began, on the event loop's clock, in seconds.
    """

    number: int
    context: dict[str, Any]
    names: dict[str, str]
    profile: Profile
    session: Session | None
    input: SessionInput
    outputs: Outputs
    started_s: float

    @property
    def phase(self) -> str:
        """Its phase: opening, live, draining, flushing or ended."""

    @property
    def status(self) -> str:
        """What it is doing, in one line."""

    def stop(self, reason: str, error: RunnerError | None = None) -> None:
        """End once what is in flight has finished."""


class ControllableFleet(Protocol):
    """The sessions of a process."""

    @property
    def runs(self) -> Sequence[ControllableRun]:
        """All of them, in the order of their numbers."""

    async def reload(self) -> dict[str, Any]:
        """Have the sessions go by their profiles as these are by now; returns what has changed."""
