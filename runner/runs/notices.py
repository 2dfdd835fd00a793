"""What the service manager is told of all runs of a process together."""

from collections import Counter
from collections.abc import Callable
from typing import Literal

import anyio

from runner.runs import notify

RunPhase = Literal["connecting", "open", "draining", "ended"]
Report = Callable[[RunPhase, RunPhase, str], None]
"""Told which phase a run leaves, which one it enters, and one line about it; it must not wait."""

_START_S = 900.0
_PAUSE_S = 1.0
"""The least time between two lines that only count, in seconds."""


class Notices:
    """Counts the phases of all runs, and tells the service manager what follows from them.

    One run is told of in its own words; of several, how many are open.

    Args:
        total: How many runs there are.
        within_s: How long their end may take, in seconds.
    """

    def __init__(self, total: int, *, within_s: float) -> None:
        self._total = total
        self._within_s = within_s
        self._count = Counter[RunPhase]({"connecting": total})
        self._was_open = self._is_ready = self._is_leaving = self._is_stopping = False
        self._changed = anyio.Event()

    def start(self) -> None:
        """Say that the sessions are being opened."""
        self._tell("connecting")

    def note(self, left: RunPhase, entered: RunPhase, text: str) -> None:
        """A run has gone from one phase to another; the text is a line about it."""
        self._count[left] -= 1
        self._count[entered] += 1
        self._was_open = self._was_open or entered == "open"
        all_tried = not self._count["connecting"]
        if all_tried and self._was_open and not self._is_ready and not self._is_leaving:
            self._is_ready = True
            notify.ready(self._line(text))
        elif all_tried and self._count["draining"] and not self._count["open"] and not self._is_stopping:
            self._is_stopping = True
            notify.stopping(self._line(text), within_s=self._within_s)
        elif self._total == 1:
            self._tell(text)
        else:
            self._changed.set()

    def leave(self) -> None:
        """A signal has come: whatever is still being opened will not be ready."""
        self._is_leaving = True

    def end(self, text: str) -> None:
        """Say how it all ended."""
        notify.status(text)

    async def run(self) -> None:
        """Tell what has changed, not too often, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed = anyio.Event()
            self._tell("")
            await anyio.sleep(_PAUSE_S)

    def _tell(self, text: str) -> None:
        if self._is_ready or self._count["ended"] == self._total:
            notify.status(self._line(text))
        else:
            notify.starting(self._line(text), within_s=_START_S)

    def _line(self, text: str) -> str:
        if self._total == 1:
            return text
        if self._is_stopping:
            return f"draining: {self._count['draining']} of {self._total} sessions left"
        return f"{self._count['open']} of {self._total} sessions open"
