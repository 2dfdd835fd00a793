"""Waiting until a socket can be read, again and again, as cheaply as the loop allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    import socket


class ReadReadiness:
    """Waits until a socket can be read; on asyncio the loop is told once and not for every wait.

    Args:
        connection: The socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
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
        elif not self._waiting.done():
            self._waiting.set_result(None)
