"""What wakes those who wait for something to come about."""

import anyio


class Changes:
    """Tells all who wait that something has changed; each looks for itself whether it is what it waits for.

    It costs next to nothing while nobody waits.
    """

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def notify(self) -> None:
        """Wake everybody."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def next(self) -> None:
        """Wait until something changes after this call."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()
