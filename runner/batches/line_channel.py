"""Lines both ways over a socket, between the process that hands rows out and one that runs them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_READ_BYTES: Final = 65536


class LineChannel:
    """One end of a pair of sockets; only a trusted process has the other one, so that lines may be of any length.

    Args:
        end: The socket.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._sending = anyio.Lock()
        end.setblocking(False)

    async def send(self, line: bytes) -> None:
        """Send a line with its end, or what else is expected, whole unless the process ends; raises `OSError`."""
        async with self._sending:
            with anyio.CancelScope(shield=True), memoryview(line) as rest:
                sent = 0
                while sent < len(rest):
                    try:
                        sent += self._end.send(rest[sent:])
                    except BlockingIOError:
                        await anyio.wait_writable(self._end)

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """The lines that come, until the other process has closed its end or is gone."""
        begun: list[bytes] = []
        while data := await self._received():
            *whole, rest = data.split(b"\n")
            for line in whole:
                begun.append(line)
                yield b"".join(begun)
                begun = []
            if rest:
                begun.append(rest)

    def close(self) -> None:
        """Close this end."""
        self._end.close()

    async def _received(self) -> bytes:
        while True:
            try:
                return self._end.recv(_READ_BYTES)
            except BlockingIOError:
                await anyio.wait_readable(self._end)
            except OSError:
                return b""
