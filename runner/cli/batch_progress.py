"""How far a batch has come: as words, and as lines of the log."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from runner import logs

if TYPE_CHECKING:
    from runner.batches.batch_driver import BatchDriver
    from runner.batches.batch_totals import BatchTotals
    from runner.cli.progress_bar import ProgressBar

_WINDOW_S: Final = 60.0
_DRAW_S: Final = 0.25
_LOG_S: Final = 30.0


class ProgressPace:
    """How fast the rows of a batch have ended lately."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def a_second(self, now_s: float, done: int) -> float:
        """How many rows have ended a second, over the last minute; 0 where that is not known."""
        self._seen.append((now_s, done))
        while now_s - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()
        began_s, before = self._seen[0]
        return (done - before) / (now_s - began_s) if now_s > began_s else 0.0


async def draw_progress(driver: BatchDriver, *, bar: ProgressBar) -> None:
    """Draw a row of the terminal anew, again and again; whoever does not read keeps the batch waiting for nothing."""
    pace = ProgressPace()
    while True:
        totals = driver.totals
        a_second = pace.a_second(anyio.current_time(), totals.done)
        text = progress_text(totals, running=driver.running, a_second=a_second)
        share = totals.done / totals.rows if totals.rows else 1.0
        await anyio.to_thread.run_sync(bar.draw, share, text, abandon_on_cancel=True)
        await anyio.sleep(_DRAW_S)


async def log_progress(driver: BatchDriver) -> None:
    """Log how far the batch has come, now and then."""
    pace, totals = ProgressPace(), driver.totals
    pace.a_second(anyio.current_time(), totals.done)
    logs.note("batch_started", rows=totals.rows, left=totals.left)
    while True:
        await anyio.sleep(_LOG_S)
        a_second = pace.a_second(anyio.current_time(), totals.done)
        logs.note(
            "batch_progress",
            done=totals.done,
            failed=totals.failed,
            left=totals.left,
            running=driver.running,
            a_second=round(a_second, 3),
            **({"left_s": round(totals.left / a_second)} if a_second else {}),
            **({"cost": round(totals.cost, 6)} if totals.has_cost else {}),
        )


async def show_nothing(_driver: BatchDriver) -> None:
    """Leave the batch alone."""


def progress_text(totals: BatchTotals, *, running: int, a_second: float) -> str:
    """How far a batch has come, in words."""
    parts = [f"{totals.done:,} of {totals.rows:,}", f"{running} running"]
    parts += [f"{totals.failed:,} failed"] if totals.failed else []
    parts += [f"{totals.cost:.2f} spent"] if totals.has_cost else []
    if a_second:
        left_s = totals.left / a_second
        parts += [
            f"{a_second:.1f} a second" if a_second >= 1 else f"{a_second * 60:.1f} a minute",
            f"{time_text(left_s)} left",
        ]
    return " · ".join(parts)


def time_text(time_s: float) -> str:
    """A length of time as people say it."""
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
