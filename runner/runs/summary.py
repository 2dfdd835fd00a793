"""The last line of a run's log: why it ended, and what it has used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner import logs

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.session.session import Session


def sum_up(session: Session, *, reason: str, code: int, error: RunnerError | None, duration_s: float) -> None:
    """Log how a run ended, and what it has used.

    Args:
        session: The run's session.
        reason: Why the run ended.
        code: The run's exit code.
        error: Why the run failed, None where it did not.
        duration_s: How long the run took, in seconds.
    """
    usage = session.usage
    spent = session.carriage.cost()
    cost = {} if spent is None else {"cost": round(spent, 6)}
    rounds = session.state.rounds
    calls = {name: count for name, count in (("tool_calls", rounds.calls), ("fillers", rounds.fillers)) if count}
    failure = {"error": error.message, "code": error.code} if error else {}
    logs.logger().info(
        "session_closed",
        session_id=session.id,
        reason=reason,
        exit_code=code,
        duration_s=round(duration_s, 3),
        **{"responses": 0, "input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, **usage.as_log()},
        **calls,
        **cost,
        **{key: text for key, text in failure.items() if text},
    )
