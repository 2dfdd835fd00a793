"""The notices that the service manager gets of all runs of a process together."""

from collections import Counter

import anyio

from runner.runs import notify
from runner.runs.life_cycle import Phase

_START_S = 900.0
_PAUSE_S = 1.0
"""The least time between two lines that only count, in seconds."""


class Notices:
    """Counts the phases of all runs, and notifies the service manager of what follows from them.

    The status of one run is the line that it reports; that of several says how many are open.

    Args:
        total: How many runs there are.
        within_s: How long their end may take, in seconds.
    """

    def __init__(self, total: int, *, within_s: float) -> None:
        self._total = total
        self._within_s = within_s
        self._count = Counter({Phase.OPENING: total})
        self._was_open = self._is_ready = self._is_leaving = self._is_stopping = False
        self._changed = anyio.Event()

    def start(self) -> None:
        """Notify the service manager that the sessions are being opened."""
        self._notify_status("connecting")

    def note(self, left: Phase, entered: Phase, text: str) -> None:
        """Count a run that has gone from one phase to another, and notify of the line that it reports, if any."""
        self._count[left] -= 1
        self._count[entered] += 1
        self._was_open = self._was_open or entered is Phase.LIVE
        if not text:
            return
        is_tried = self._was_open and not self._count[Phase.OPENING]
        if is_tried and not self._is_ready and not self._is_leaving:
            self._is_ready = True
            notify.ready(self._line(text))
        elif is_tried and self._ending and not self._count[Phase.LIVE] and not self._is_stopping:
            self._is_stopping = True
            notify.stopping(self._line(text), within_s=self._within_s)
        elif self._total == 1:
            self._notify_status(text)
        else:
            self._changed.set()

    def leave(self) -> None:
        """Take it that a signal has come: sessions that are still being opened will not be ready."""
        self._is_leaving = True

    def end(self, text: str) -> None:
        """Notify the service manager of how all runs ended."""
        notify.status(text)

    async def run(self) -> None:
        """Notify the service manager of new counts, at most once a second, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed = anyio.Event()
            self._notify_status("")
            await anyio.sleep(_PAUSE_S)

    def _notify_status(self, text: str) -> None:
        if self._is_ready or self._count[Phase.ENDED] == self._total:
            notify.status(self._line(text))
        else:
            notify.starting(self._line(text), within_s=_START_S)

    @property
    def _ending(self) -> int:
        return self._count[Phase.DRAINING] + self._count[Phase.FLUSHING]

    def _line(self, text: str) -> str:
        if self._total == 1:
            return text
        if self._is_stopping:
            return f"draining: {self._ending} of {self._total} sessions left"
        return f"{self._count[Phase.LIVE]} of {self._total} sessions open"
