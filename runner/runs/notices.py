"""The notices that the service manager gets of all runs of a process together."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import anyio

from runner import logs
from runner.runs import notify
from runner.runs.life_cycle import Phase
from runner.runs.whereabouts import Whereabouts

_START_S = 900.0
_PAUSE_S = 1.0
"""The time between two looks at what the runs are doing, in seconds."""


class NoticedRun(Protocol):
    """A run as its notices see it."""

    @property
    def status(self) -> str:
        """What it is doing, in one line."""

    @property
    def whereabouts(self) -> Whereabouts:
        """Where its session is."""


class Notices:
    """Counts the phases of all runs, and notifies the service manager of what follows from them.

    The status of one run is its own line; that of several says how many are open.

    Args:
        runs: All runs of the process, which are there when it starts.
        within_s: How long their end may take, in seconds.
    """

    def __init__(self, runs: Sequence[NoticedRun], *, within_s: float) -> None:
        self._runs = runs
        self._within_s = within_s
        self._count: Counter[Phase] = Counter()
        self._was_open = self._is_ready = self._is_leaving = self._is_stopping = False
        self._told = ""
        self._is_withheld = False

    def start(self) -> None:
        """Notify the service manager that the sessions are being opened."""
        self._count[Phase.OPENING] = len(self._runs)
        self._notify_status()

    def note(self, left: Phase, entered: Phase) -> None:
        """Count a run that has gone from one phase to another."""
        self._count[left] -= 1
        self._count[entered] += 1
        self._was_open = self._was_open or entered is Phase.LIVE
        is_tried = self._was_open and not self._count[Phase.OPENING]
        if is_tried and not self._is_ready and not self._is_leaving:
            self._is_ready = True
            self._told = self._line()
            notify.ready(self._told)
        elif is_tried and self._ending and not self._count[Phase.LIVE] and not self._is_stopping:
            self._is_stopping = True
            self._told = self._line()
            notify.stopping(self._told, within_s=self._within_s)
        elif len(self._runs) == 1:
            self._notify_status()

    def reloading(self) -> None:
        """Notify the service manager that the profiles are being read again, unless it still waits for a session."""
        if self._is_ready and not self._is_stopping:
            notify.reloading()

    def reloaded(self) -> None:
        """Notify the service manager that the sessions run, by the profiles as they are now or as they were."""
        if self._is_ready and not self._is_stopping:
            self._told = self._line()
            notify.ready(self._told)

    def leave(self) -> None:
        """Take it that a signal has come: sessions that are still being opened will not be ready."""
        self._is_leaving = True

    def end(self, text: str) -> None:
        """Notify the service manager of how all runs ended."""
        notify.status(text)

    async def run(self) -> None:
        """Notify the service manager of what has changed, and that this process lives, until cancelled."""
        if not notify.is_managed():
            return
        watchdog_s = notify.watchdog_s()
        pause_s = min(_PAUSE_S, watchdog_s / 2) if watchdog_s else _PAUSE_S
        while True:
            self._notify_status()
            if watchdog_s:
                self._prove_life()
            await anyio.sleep(pause_s)

    def _prove_life(self) -> None:
        """Say that this process lives: its event loop does, or this would not run, and so does who minds connections.

        What is at fault with one connection of several ends with that; where all are, a restart is due.
        """
        is_dead = bool(self._runs) and all(each.whereabouts.is_unminded for each in self._runs)
        if not is_dead:
            notify.alive()
        elif not self._is_withheld:
            logs.logger().error("watchdog_withheld", problem="nobody minds the connections any more")
        self._is_withheld = is_dead

    def _notify_status(self) -> None:
        line = self._line()
        if line == self._told:
            return
        self._told = line
        if self._is_ready or self._count[Phase.ENDED] == len(self._runs):
            notify.status(line)
        else:
            notify.starting(line, within_s=_START_S)

    @property
    def _ending(self) -> int:
        return self._count[Phase.DRAINING] + self._count[Phase.FLUSHING]

    def _line(self) -> str:
        total = len(self._runs)
        if total == 1:
            return self._runs[0].status
        if self._is_stopping:
            return f"draining: {self._ending} of {total} sessions left"
        between = sum(each.whereabouts.is_between for each in self._runs)
        reconnecting = f", {between} reconnecting" if between else ""
        return f"{self._count[Phase.LIVE] - between} of {total} sessions open{reconnecting}"
