"""A queue between the pump of a session and one of its readers, bounded in bytes."""

from collections import deque
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")

ITEM_BYTES = 500
"""What holding an item takes besides what it came in, in bytes: the bounds are of memory, not of the wire."""


class ByteQueue(Generic[T]):
    """Takes without waiting, so that the pump never does; gives everything that waits, in order.

    Args:
        max_bytes: How much memory the waiting items may take; what comes then is refused, never dropped in silence.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._waiting: deque[T] = deque()
        self._size_bytes = 0
        self._taken_bytes = 0
        self._arrival = anyio.Event()
        self._drained = anyio.Event()
        self._drained.set()
        self._closed = False

    def put(self, item: T, size_bytes: int) -> bool:
        """Add an item; False says that the queue is full or closed and the item was not taken.

        Args:
            item: The item.
            size_bytes: The size of what it came in; holding it takes `ITEM_BYTES` more.
        """
        size_bytes += ITEM_BYTES
        if self._closed or (self._waiting and self._taken_bytes + self._size_bytes + size_bytes > self._max_bytes):
            return False
        self._waiting.append(item)
        self._size_bytes += size_bytes
        if self._drained.is_set():
            self._drained = anyio.Event()
        self._arrival.set()
        return True

    @property
    def held_bytes(self) -> int:
        """What waits and what was taken and is not done with, in bytes of memory."""
        return self._size_bytes + self._taken_bytes

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._closed

    def close(self) -> None:
        """Take nothing more; readers get what waits, then the end."""
        self._closed = True
        self._arrival.set()

    async def get_all(self) -> list[T]:
        """Wait for items and take all of them; an empty list is the end. Cancelling it loses nothing.

        What was taken counts until it is dealt with, or until the next call: a reader that hangs still holds it.
        """
        self._taken_bytes = 0
        while not self._waiting and not self._closed:
            if self._arrival.is_set():
                self._arrival = anyio.Event()
            await self._arrival.wait()
        items = list(self._waiting)
        self._waiting.clear()
        self._taken_bytes, self._size_bytes = self._size_bytes, 0
        return items

    def done(self) -> None:
        """Say that everything taken so far is dealt with."""
        self._taken_bytes = 0
        if not self._waiting:
            self._drained.set()

    async def drained(self) -> None:
        """Wait until everything put so far is dealt with."""
        await self._drained.wait()
