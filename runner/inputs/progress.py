"""A bar on the terminal that shows how much of a recording was sent."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, NoReturn

from runner import logs

if TYPE_CHECKING:
    from tqdm import tqdm

_SHAPE = "{desc}{bar} {n:.1f}/{total:.1f} s"


class Progress:
    """A bar on standard error until it is closed; hidden unless that is a terminal which shows nothing else.

    Args:
        duration_s: How long the recording lasts, in seconds; 0 shows no bar.
    """

    def __init__(self, duration_s: float) -> None:
        self._duration_s = duration_s
        self._bar: tqdm[NoReturn] | None = None
        if duration_s > 0 and sys.stderr.isatty() and not (sys.stdout.isatty() or _logs_everything()):
            from tqdm import tqdm

            # Otherwise tqdm starts a thread that watches for bars that stall.
            tqdm.monitor_interval = 0
            self._bar = tqdm(total=duration_s, file=sys.stderr, leave=False, bar_format=_SHAPE, dynamic_ncols=True)

    def advance(self, duration_s: float) -> None:
        """Another `duration_s` seconds were sent."""
        if self._bar is not None:
            # A file may say that it is shorter than it is.
            self._bar.update(min(duration_s, max(0.0, self._duration_s - self._bar.n)))

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


def _logs_everything() -> bool:
    return bool(logs.logger().is_enabled_for(logging.DEBUG))
