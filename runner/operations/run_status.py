"""What a session is doing, as the control socket shows it."""

from __future__ import annotations

from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio

from runner.protocol.json_text import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.operations.controllable import ControllableRun
    from runner.session.session import Session


_HOLDS_S = 0.1
"""How old an answer to a request for the state may be, in seconds, where no session says that something changes."""


class KnownState:
    """The state of some sessions as JSON, which holds until something happens to one of them, and for a moment at most.

    Args:
        runs: The sessions.

    Attributes:
        json: The result of a request for it.
    """

    __slots__ = ("_signs", "_until_s", "json")

    def __init__(self, runs: Sequence[ControllableRun]) -> None:
        now_s = anyio.current_time()
        sessions = [each.session for each in runs]
        self._signs = [(each.changes, each.changes.count) for each in sessions if each]
        # It is looked at more often than it pays to ask for the loop's clock.
        self._until_s = monotonic() + _HOLDS_S if all(sessions) else 0.0
        states = [{**_status(each), "age_s": round(now_s - each.started_s, 1)} for each in runs]
        self.json = dumps({"sessions": states}).encode()

    def holds(self) -> bool:
        """Whether it is the state still."""
        if monotonic() >= self._until_s:
            return False
        for changes, count in self._signs:  # noqa: SIM110  # a generator costs more than all of it
            if changes.count != count:
                return False
        return True


def _status(run: ControllableRun) -> dict[str, Any]:
    status: dict[str, Any] = {
        "session": run.number,
        "profile": run.context["profile"],
        "run_id": run.context["run_id"],
        "state": _state(run),
        "status": run.status,
        "age_s": 0.0,
    }
    session = run.session
    if session is None:
        return status
    usage, carriage, cost = session.usage, session.carriage, session.carriage.cost()
    status |= {
        "session_id": session.id,
        "provider": carriage.provider.name if carriage.provider else run.context["profile"],
        "model": session.state.effective.get("model"),
        "connections": session.epoch,
        "is_responding": session.state.busy,
        "turns": usage.responses,
        "usage": usage.as_log(),
        "cost": None if cost is None else round(cost, 6),
        "approvals": _approvals(session),
        "input": _input(run),
        "output": ("stopped" if run.outputs.is_silent else "started") if run.outputs.is_audible else None,
    }
    return status


def _input(run: ControllableRun) -> str | None:
    switch = run.input.switch
    return switch.state if switch else None


def _approvals(session: Session) -> list[dict[str, Any]]:
    """The calls that wait for somebody's approval."""
    waiting = session.tools.approvals.waiting.values() if session.tools else ()
    return [asdict(each) for each in waiting]


def _state(run: ControllableRun) -> str:
    if run.phase != "live":
        return run.phase
    return "open" if run.session and run.session.link else "reconnecting"
