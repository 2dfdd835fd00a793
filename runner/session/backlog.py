"""The events that a program has not read yet."""

from collections import deque

from runner.errors import RunnerError
from runner.protocol.effects import SessionEnded
from runner.protocol.json_fields import JsonObject
from runner.session.queue import ByteQueue
from runner.session.update import Update


class Backlog:
    """What `async for event in session` reads from, filled by the pump.

    Args:
        max_bytes: How far the program may fall behind.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._arriving: ByteQueue[JsonObject] = ByteQueue(max_bytes)
        self._unread: deque[JsonObject] = deque()
        self._is_cut = False

    def take(self, update: Update) -> None:
        """Keep the event of an update; what comes after the first that has no room is lost, and that is told."""
        if update.event is None:
            if any(isinstance(each, SessionEnded) for each in update.effects):
                self._arriving.close()
        elif not self._arriving.put(update.event, update.size_bytes):
            self._is_cut = True

    async def next(self) -> JsonObject | None:
        """The next event, None after the last one.

        Raises:
            RunnerError: Events were lost here.
        """
        if not self._unread:
            if self._is_cut:
                msg = f"more than {self._max_bytes} bytes of events waited to be read"
                raise RunnerError(msg, hint="read `async for event in session` as events come")
            self._unread.extend(await self._arriving.get_all())
        return self._unread.popleft() if self._unread else None
