"""What a session is doing, as the control socket shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from runner.protocol.json_text import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.operations.controllable import ControllableRun
    from runner.session.session import Session


class StatusAnswers:
    """The states of sessions, as JSON; where nothing has happened since it was asked for last, it holds."""

    def __init__(self) -> None:
        self._last: tuple[object, bytes] | None = None

    def of(self, runs: Sequence[ControllableRun]) -> bytes:
        """The result of a request for the state of some sessions."""
        now_s = anyio.current_time()
        signs = [_sign(each, round(now_s - each.started_s, 1)) for each in runs]
        if self._last is None or self._last[0] != signs:
            sessions = [{**_status(each), "age_s": round(now_s - each.started_s, 1)} for each in runs]
            self._last = signs, dumps({"sessions": sessions}).encode()
        return self._last[1]


def _sign(run: ControllableRun, age_s: float) -> object:
    """What differs where the state does; what is not open is looked at anew each time."""
    session = run.session
    if session is None or session.link is None or run.phase != "live":
        return object()
    return run.number, age_s, session.changes.count, run.profile, _input(run), run.outputs.is_silent


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
