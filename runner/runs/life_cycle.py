"""The life cycle of a run: its phases, a cancel scope for each, and what ends them."""

import signal
from collections.abc import Callable
from enum import IntEnum

import anyio

from runner.errors import RunnerError


class Phase(IntEnum):
    """Where a run is; the phases follow each other, and one that has nothing to do is left out."""

    OPENING = 1
    """The run opens its files, and connects."""
    LIVE = 2
    """The session is open, and the input goes in."""
    DRAINING = 3
    """The session takes no more questions, finishes what is in flight, and closes."""
    FLUSHING = 4
    """The outputs write what has come."""
    ENDED = 5


Report = Callable[[Phase, Phase], None]
"""Called with the phase that a run leaves and the one that it enters; it must not wait."""


class LifeCycle:
    """The phase of one run, which only goes on, and the signals that it has received.

    What ends a phase also ends one that has not begun:

    - `stop`, which any reason to end calls, the first signal too: opening and live.
    - The end of the grace period, which the first signal begins: draining.
    - `force`, which the second signal calls: all of them.

    Args:
        grace_s: How long a drain may take, in seconds.
        report: Called with every change of phase.

    Attributes:
        grace_s: As above.
        phase: Where the run is.
        drained_by: The first signal.
        forced_by: The signal that cut the run short: the second one, or the first one where its grace period is over.
    """

    def __init__(self, *, grace_s: float, report: Report) -> None:
        self.phase = Phase.OPENING
        self.drained_by: signal.Signals | None = None
        self.forced_by: signal.Signals | None = None
        self.grace_s = grace_s
        self._report = report
        self._scopes = {phase: anyio.CancelScope() for phase in Phase}

    def enter(self, phase: Phase) -> anyio.CancelScope:
        """Begin a phase, and report it; returns the scope to do its work in."""
        left, self.phase = self.phase, phase
        self._report(left, phase)
        return self._scopes[phase]

    def stop(self) -> None:
        """Give up opening, or go on from live to draining."""
        self._end(Phase.LIVE)

    def begin_grace(self, number: signal.Signals) -> None:
        """Take the first signal: draining ends with the grace period, which begins now."""
        self.drained_by = number
        self._scopes[Phase.DRAINING].deadline = self.grace_ends_s

    def expire(self) -> None:
        """Take it that the grace period has ended the drain; where a second signal did, that one counts."""
        self.forced_by = self.forced_by or self.drained_by

    def force(self, number: signal.Signals) -> None:
        """End all phases because of a second signal."""
        self.forced_by = number
        self._end(Phase.FLUSHING)

    @property
    def grace_ends_s(self) -> float:
        """When the grace period ends, or would if it began now, on the event loop's clock, in seconds."""
        return min(self._scopes[Phase.DRAINING].deadline, anyio.current_time() + self.grace_s)

    def exit_code(self, error: RunnerError | None) -> int:
        """The exit code of a run that this has befallen, and that has failed because of this."""
        if self.forced_by is not None:
            return 128 + self.forced_by
        if error is not None:
            return error.exit_code
        return 0 if self.drained_by in {None, signal.SIGTERM} else 128 + self.drained_by

    def _end(self, last: Phase) -> None:
        # The scope of the opening encloses those of the later phases: it is left alone once the session is open.
        for phase, scope in self._scopes.items():
            if self.phase <= phase <= last:
                scope.cancel()
