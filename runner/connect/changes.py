"""A signal for tasks that wait for a condition."""

import math

import anyio


class Changes:
    """Wakes every waiting task when something has changed; each task checks its own condition then.

    A notification costs next to nothing while no task waits.

    Attributes:
        count: How often something has changed.
    """

    __slots__ = ("_event", "count")

    def __init__(self) -> None:
        self.count = 0
        self._event: anyio.Event | None = None

    def notify(self) -> None:
        """Wake every waiting task."""
        self.count += 1
        if self._event is not None:
            self._event.set()
            self._event = None

    async def next(self, by_s: float = math.inf) -> None:
        """Wait until something changes after this call, or until this moment of the event loop's clock, in seconds."""
        if self._event is None:
            self._event = anyio.Event()
        if by_s == math.inf:
            await self._event.wait()
            return
        with anyio.CancelScope(deadline=by_s):
            await self._event.wait()
