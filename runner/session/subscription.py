"""What a program reads of a session with `async for`."""

from __future__ import annotations

import weakref
from collections import deque
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from runner.errors import RunnerError
from runner.protocol.effects import SessionEnded
from runner.session.queue import ByteQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.session.carriage import Carriage
    from runner.session.pump import Reader
    from runner.session.update import Update

MAX_UNREAD_BYTES = 64 * 1024 * 1024
"""How far a program may fall behind unless it says otherwise, in bytes of events."""

T = TypeVar("T")


class Subscription(Generic[T]):
    """An asynchronous iterator over a session from the moment of its making; it ends with the session.

    It keeps what comes until the program reads it, in order, and lets go of the session when the program lets go of it.

    Args:
        carriage: Where the session is.
        pick: What an update holds for the program.
        max_bytes: How far the program may fall behind, in bytes of events.
    """

    def __init__(self, carriage: Carriage, pick: Callable[[Update], Sequence[T]], max_bytes: int) -> None:
        self._carriage = carriage
        self._max_bytes = max_bytes
        self._arriving: ByteQueue[Sequence[T]] = ByteQueue(max_bytes)
        self._lost: list[Update] = []
        """The first update that had no room, which ends the subscription."""
        self._unread: deque[T] = deque()
        read = _reader(self._arriving, self._lost, pick)
        if carriage.is_over:
            self._arriving.close()
        else:
            carriage.add_reader(read)
        self._finalizer = weakref.finalize(self, carriage.remove_reader, read)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """The next of what came.

        Raises:
            StopAsyncIteration: The client has ended the session.
            RunnerError: The session has failed, or the program has fallen behind and something was lost here.
        """
        while not self._unread:
            arrived = await self._arriving.get_all()
            if not arrived:
                self._finish()
            self._unread.extend(each for some in arrived for each in some)
        return self._unread.popleft()

    def close(self) -> None:
        """Read nothing more."""
        self._finalizer()
        self._arriving.close()

    def _finish(self) -> None:
        if self._lost:
            msg = f"more than {self._max_bytes} bytes of events waited to be read"
            raise RunnerError(msg, hint="read a session's events as they come, or allow more by `max_bytes`")
        self._finalizer()
        if self._carriage.failure:
            raise self._carriage.failure
        raise StopAsyncIteration


def _reader(arriving: ByteQueue[Sequence[T]], lost: list[Update], pick: Callable[[Update], Sequence[T]]) -> Reader:
    """A reader that knows the queue and not the subscription, which the program alone holds."""

    def read(update: Update) -> None:
        picked = pick(update)
        if picked and not lost and not arriving.put(picked, update.size_bytes) and not arriving.is_closed:
            # Nothing follows a gap.
            lost.append(update)
            arriving.close()
        if any(isinstance(each, SessionEnded) for each in update.effects):
            arriving.close()

    return read
