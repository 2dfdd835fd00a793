"""When each piece of a recording is due, so that it is sent as fast as it was spoken."""

import anyio
import anyio.lowlevel


class Pace:
    """A schedule without drift: each piece is due when all before it have been spoken, counted from the first one.

    A late piece is due at once, and no piece is ever early.

    Args:
        in_real_time: Whether to wait at all; without, each piece only lets others run.
    """

    def __init__(self, *, in_real_time: bool = True) -> None:
        self._in_real_time = in_real_time
        self._start_s: float | None = None
        self._taken_s = 0.0

    def restart(self) -> None:
        """Count from the next piece on, as after a pause."""
        self._start_s, self._taken_s = None, 0.0

    async def due(self, duration_s: float) -> None:
        """Wait until the next piece is due, which lasts `duration_s` seconds."""
        now_s = anyio.current_time()
        if self._start_s is None:
            self._start_s = now_s
        wait_s = self._start_s + self._taken_s - now_s
        self._taken_s += duration_s
        if self._in_real_time and wait_s > 0:
            await anyio.sleep(wait_s)
        else:
            await anyio.lowlevel.checkpoint()
