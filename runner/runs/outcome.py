"""The ends of runs, and the exit code that follows from them."""

from collections.abc import Sequence
from typing import NamedTuple

from runner.errors import RunnerError


class Outcome(NamedTuple):
    """How a run ended."""

    profile: str
    exit_code: int
    error: RunnerError | None
    """Why the run failed, None where it did not."""
    is_forced: bool
    """Whether a second signal or the end of the grace period cut the run short."""
    run_id: str = ""
    session_id: str = ""
    """The id of its session, empty where none was opened."""
    reason: str = ""
    """Why it ended, as the log says it."""


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """The exit code of a process whose runs have ended, at least one, in this order.

    It is that of the first run that was forced, else of the first that failed, else of the signal that drained them,
    else 0.
    """
    forced = [each.exit_code for each in outcomes if each.is_forced]
    failed = [each.exit_code for each in outcomes if each.error is not None]
    return next(iter(forced + failed), max(each.exit_code for each in outcomes))
