"""TCP on asyncio's loops: what arrives is handed on in the loop's own callback, with no task in between."""

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

import anyio
import anyio.abc
import httpcore
from aiohappyeyeballs import addr_to_addr_infos, start_connection

from runner.connect import steps
from runner.connect.changes import Changes
from runner.connect.name_resolution import resolved
from runner.connect.pushed_stream import PushedStream, in_time
from runner.connect.wire import READ_BYTES

_HAPPY_EYEBALLS_S = 0.25  # RFC 8305, section 5


class AsyncioStream(asyncio.Protocol, PushedStream):
    """One TCP connection; made by `connect`."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__()
        self._socket = connected
        self._transport: asyncio.Transport
        self._unread = bytearray()
        self._is_closed = False
        self._is_settled = True
        self._changes = Changes()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # httpcore's interface
        """Up to `max_bytes` bytes, or none at the end; `timeout` in seconds."""
        with in_time(timeout, httpcore.ReadTimeout):
            while not (self._unread or self._is_over or self._is_hasty):
                await self._changes.next()
        data = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        if self._error and not data:
            raise httpcore.ReadError(str(self._error)) from self._error
        if not self._is_over:
            self._transport.resume_reading()
        return data

    async def _begin(self, tasks: anyio.abc.TaskGroup) -> None:
        """Start nothing: the transport calls this object."""

    def put(self, data: bytes) -> None:
        """Send what the kernel takes now, and the rest as it takes more."""
        if not self._is_over:
            self._transport.write(data)

    @property
    def waiting_bytes(self) -> int:
        """How many bytes the kernel has not taken yet."""
        return 0 if self._is_settled else self._transport.get_write_buffer_size()

    async def settled(self) -> None:
        """Wait until the kernel has taken all of it."""
        while not self._is_settled:
            await self._changes.next()

    async def release(self) -> None:
        """Hang up; what the kernel has taken is still delivered."""
        if self._is_closed:
            return
        self._transport.abort() if self.waiting_bytes else self._transport.close()
        with anyio.CancelScope(shield=True):
            while not self._is_closed:
                await self._changes.next()

    def get_extra_info(self, info: str) -> Any:
        """The facts of a socket that httpcore and httpx ask for."""
        match info:
            case "socket":
                return self._socket
            case "client_addr":
                return self._transport.get_extra_info("sockname")
            case "server_addr":
                return self._transport.get_extra_info("peername")
            case "is_readable":
                return bool(self._unread) or self._is_over
        return super().get_extra_info(info)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, as asyncio asks; nothing is left to wait in its buffer unseen."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """Hand bytes on, as asyncio asks, or keep them for `read`."""
        if self._listener is not None:
            self._listener.data_received(data)
            return
        self._unread += data
        self._changes.notify()
        if len(self._unread) >= READ_BYTES:
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """Notice that the peer sends nothing more, as asyncio asks."""
        self._end()

    def pause_writing(self) -> None:
        """Notice that the kernel takes no more, as asyncio asks."""
        self._is_settled = False

    def resume_writing(self) -> None:
        """Notice that the kernel has taken everything, as asyncio asks."""
        self._is_settled = True
        self._changes.notify()
        if self._listener is not None:
            self._listener.writable()

    def connection_lost(self, error: Exception | None) -> None:
        """Notice the end, as asyncio asks."""
        self._error, self._is_closed, self._is_settled = error, True, True
        if error is not None and not self._is_over:
            self._read_last_words()
        self._changes.notify()
        self._end()

    def _read_last_words(self) -> None:
        """Read what the peer sent before a write failed, perhaps a close frame: the kernel still holds it."""
        with contextlib.suppress(OSError):
            while data := self._socket.recv(READ_BYTES):
                self.data_received(data)

    def _end(self) -> None:
        super()._end()
        self._changes.notify()


async def connect(
    host: str,
    port: int,
    timeout: float | None,  # noqa: ASYNC109  # httpcore's interface
    local_address: str | None,
    socket_options: Iterable[httpcore.SOCKET_OPTION],
) -> AsyncioStream:
    """Open one connection, trying the addresses of a name as RFC 8305 says; `timeout` in seconds.

    Raises:
        httpcore.ConnectError: None of them answers, or the name has none.
        httpcore.ConnectTimeout: Not in time.
    """
    with in_time(timeout, httpcore.ConnectTimeout):
        connected = await _connected(host, port, local_address)
        try:
            for option in socket_options:
                connected.setsockopt(*option)
            loop = asyncio.get_running_loop()
            _, stream = await loop.create_connection(lambda: AsyncioStream(connected), sock=connected)
        except BaseException:
            connected.close()
            raise
    return stream


async def _connected(host: str, port: int, local_address: str | None) -> socket.socket:
    try:
        return await _first_connected(host, port, local_address)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error


async def _first_connected(host: str, port: int, local_address: str | None) -> socket.socket:
    steps.enter("dns")
    try:
        # An address need not wait for the thread that resolves names.
        known = addr_to_addr_infos((host, port)) if _is_address(host) else None
        infos = known or await resolved(host, port)
        own = await resolved(local_address, 0) if local_address else None
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
    steps.see(f"{host} is {', '.join(dict.fromkeys(str(info[4][0]) for info in infos))}")
    steps.enter("tcp")
    try:
        return await start_connection(infos, local_addr_infos=own, happy_eyeballs_delay=_HAPPY_EYEBALLS_S)
    except (OSError, RuntimeError) as error:  # uvloop has both for an address that cannot be reached
        if getattr(error, "errno", None):
            raise
        raise OSError(errno.EHOSTUNREACH, str(error)) from error


@lru_cache(maxsize=64)
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
