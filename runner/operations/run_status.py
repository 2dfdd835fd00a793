"""What a session is doing, as the control socket shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from runner.operations.controllable import ControllableRun
    from runner.session.session import Session


def run_status(run: ControllableRun) -> dict[str, Any]:
    """The state of a session, what it has used, and what becomes of its input and output."""
    status: dict[str, Any] = {
        "session": run.number,
        "profile": run.context["profile"],
        "run_id": run.context["run_id"],
        "state": _state(run),
        "status": run.status,
        "age_s": round(anyio.current_time() - run.started_s, 1),
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
        "input": run.input.switch.state if run.input.switch else None,
        "output": ("stopped" if run.outputs.is_silent else "started") if run.outputs.is_audible else None,
    }
    return status


def _approvals(session: Session) -> list[dict[str, str]]:
    """The calls that wait for somebody's approval."""
    waiting = session.tools.approvals.waiting.values() if session.tools else ()
    return [{"id": each.id, "name": each.name, "arguments": each.arguments} for each in waiting]


def _state(run: ControllableRun) -> str:
    if run.phase != "live":
        return run.phase
    return "open" if run.session and run.session.link else "reconnecting"
