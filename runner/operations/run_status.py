"""What a session is doing, as the control socket shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from runner.operations.controllable import ControllableRun
    from runner.session.session import Session


class RunStatuses:
    """The states of sessions; one in which nothing has happened since it was asked for last is not looked at anew."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, dict[str, Any]]] = {}

    def of(self, run: ControllableRun) -> dict[str, Any]:
        """The state of a session, what it has used, and what becomes of its input and output."""
        age_s = round(anyio.current_time() - run.started_s, 1)
        session = run.session
        if session is None or session.link is None or run.phase != "live":
            return {**_status(run), "age_s": age_s}
        sign = (session.changes.count, id(run.profile), _input(run), run.outputs.is_silent)
        known = self._known.get(run.number)
        if known is None or known[0] != sign:
            known = self._known[run.number] = sign, _status(run)
        return {**known[1], "age_s": age_s}


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
    usage, prices = session.usage, run.profile.run.limits.prices
    status |= {
        "session_id": session.id,
        "model": session.state.effective.get("model"),
        "connections": session.epoch,
        "is_responding": session.state.busy,
        "turns": usage.responses,
        "usage": usage.as_log(),
        "cost": round(usage.cost(prices), 6) if prices else None,
        "approvals": _approvals(session),
        "input": _input(run),
        "output": ("stopped" if run.outputs.is_silent else "started") if run.outputs.is_audible else None,
    }
    return status


def _input(run: ControllableRun) -> str | None:
    return run.input.switch.state if run.input.switch else None


def _approvals(session: Session) -> list[dict[str, str]]:
    """The calls that wait for somebody's approval."""
    waiting = session.tools.approvals.waiting.values() if session.tools else ()
    return [{"id": each.id, "name": each.name, "arguments": each.arguments} for each in waiting]


def _state(run: ControllableRun) -> str:
    if run.phase != "live":
        return run.phase
    return "open" if run.session and run.session.link else "reconnecting"
