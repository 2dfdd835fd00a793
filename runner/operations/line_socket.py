"""A client's connection to the control socket: whole lines in, whole lines out, all of it in bounds."""

from __future__ import annotations

import select
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from runner.operations.control_protocol import MAX_LINE_BYTES, WRITE_TIMEOUT_S
from runner.operations.read_readiness import ReadReadiness

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, Callable

_CHUNK_BYTES = 65536


class LineTooLong(Exception):
    """A client has sent more than a line may hold, and no end of it."""


class ClientLost(Exception):
    """A client has gone, or takes nothing any more."""


class LineSocket:
    """Reads and writes lines without making anybody else wait.

    Args:
        connection: A connected stream socket, which does not block.
        prompt: The answer to a line, which it is given with its end, that can be answered at once; None for anything
            else. Where the loop allows it, such an answer costs no turn of a task.
    """

    def __init__(self, connection: socket.socket, prompt: Callable[[bytes], bytes | None]) -> None:
        self._connection = connection
        self._prompt = prompt
        self._readiness = ReadReadiness(connection, self._take)
        self._taken: bytes | None = None
        """What was read and is no line that was answered at once."""
        self._unsent = memoryview(b"")
        """The rest of an answer that there was no room for."""
        self._is_within_line = False
        self._is_writing = False
        """Whether an answer waits for room."""
        self._writing = anyio.Lock(fast_acquire=True)

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Every line that is whole, without its end; what stands after the last line break was cut off, and is none.

        Raises:
            LineTooLong: There is no line break for too long.
        """
        waiting = bytearray()
        while data := await self._read():
            searched = len(waiting)
            waiting += data
            start = 0
            while (end := waiting.find(b"\n", max(start, searched))) >= 0:
                yield bytes(waiting[start:end])
                start = end + 1
                # However many lines have come, the sessions have their turn between two of them.
                if waiting.find(b"\n", start) >= 0:
                    await anyio.lowlevel.checkpoint()
            del waiting[:start]
            self._is_within_line = bool(waiting)
            if len(waiting) > MAX_LINE_BYTES:
                raise LineTooLong

    async def write(self, line: bytes) -> None:
        """Write a line after those that are being written.

        Raises:
            ClientLost: The client has gone, or takes nothing for too long.
        """
        left = memoryview(line)
        if not (self._writing.locked() or self._unsent):
            # Nearly always there is room for it, and nobody to wait for.
            left = self._sent(left)
        if left:
            await self._write_rest(left)

    async def _write_rest(self, left: memoryview) -> None:
        async with self._writing:
            self._is_writing = True
            try:
                before, self._unsent = self._unsent, memoryview(b"")
                left = memoryview(bytes(before) + bytes(left))
                while left:
                    await self._writable()
                    left = self._sent(left)
            finally:
                self._is_writing = False

    def _sent(self, data: memoryview) -> memoryview:
        """Send what there is room for; returns the rest."""
        try:
            return data[self._connection.send(data) :]
        except BlockingIOError:
            return data
        except OSError:
            raise ClientLost from None

    async def _read(self) -> bytes:
        while True:
            await self._readiness.wait()
            if self._unsent:
                await self._write_rest(memoryview(b""))
            elif (taken := self._taken) is not None:
                self._taken = None
                return taken
            elif (data := self._received()) is not None:
                return data

    def _received(self) -> bytes | None:
        """What there is to read, nothing at the end; None where there is nothing yet."""
        try:
            return self._connection.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _take(self) -> bool:
        """Read, and answer at once what can be; returns whether nothing is left to do."""
        data = self._received()
        if data is None:
            return True
        if not (self._is_within_line or self._is_writing) and (answer := self._prompt(data)):
            try:
                sent = self._connection.send(answer)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._taken = b""
                return False
            if sent < len(answer):
                self._unsent = memoryview(answer)[sent:]
                return False
            return True
        self._taken = data
        return False

    async def _writable(self) -> None:
        with anyio.move_on_after(WRITE_TIMEOUT_S) as scope:
            await anyio.wait_writable(self._connection)
        if scope.cancelled_caught:
            raise ClientLost

    def close(self) -> None:
        """Close the connection."""
        self._readiness.close()
        self._connection.close()

    @property
    def is_abandoned(self) -> bool:
        """Whether the client has closed both directions, rather than only finished writing."""
        with suppress(OSError):
            poll = select.poll()
            poll.register(self._connection, 0)
            return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))
        return True
