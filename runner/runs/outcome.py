"""How runs end, in exit codes."""

from collections.abc import Sequence
from dataclasses import dataclass

from runner.errors import RunnerError


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    profile: str
    exit_code: int
    error: RunnerError | None
    """Why it failed, if it did."""
    is_forced: bool
    """Whether a second signal or the end of the grace period cut it short."""


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """The exit code of a process with these runs, in the order in which they ended, at least one.

    That of the first that was forced, else of the first that failed, else of the signal that drained them, else 0.
    """
    forced = [each.exit_code for each in outcomes if each.is_forced]
    failed = [each.exit_code for each in outcomes if each.error is not None]
    return next(iter(forced + failed), max(each.exit_code for each in outcomes))
