"""Waiting until a socket can be read, again and again, as cheaply as the loop allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


class ReadReadiness:
    """Waits until a socket can be read; on asyncio the loop is told once and not for every wait, nor a task every time.

    Args:
        connection: The socket.
        take: Called on asyncio while somebody waits and there is something to read; returns whether he waits on.
    """

    def __init__(self, connection: socket.socket, take: Callable[[], bool]) -> None:
        self._connection = connection
        self._take = take
        self._waiting: asyncio.Future[None] | None = None
        self._is_watched = False
        self._loop: asyncio.AbstractEventLoop | None
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    async def wait(self) -> None:
        """Wait until there is something to read, or the end."""
        if self._loop is None:
            await anyio.wait_readable(self._connection)
            return
        self._waiting = self._loop.create_future()
        if not self._is_watched:
            self._is_watched = True
            self._loop.add_reader(self._connection, self._tell)
        try:
            await self._waiting
        finally:
            self._waiting = None

    def close(self) -> None:
        """Wait no more."""
        if self._loop is not None and self._is_watched:
            self._is_watched = False
            self._loop.remove_reader(self._connection)

    def _tell(self) -> None:
        if self._waiting is None:
            # Nobody reads now, and the loop would ask again and again.
            self.close()
        elif not self._waiting.done() and not self._take():
            self._waiting.set_result(None)
