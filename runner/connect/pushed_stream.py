"""Streams that push: they are read during the handshake and listened to afterwards; TLS is one on top of another.

TLS runs in memory: a connection costs some 60 KB, where asyncio's own costs 310.
"""

import contextlib
import ssl
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Self

import anyio
import anyio.abc
import httpcore

from runner.connect.wire import LOST, READ_BYTES, StreamListener, Wire


class PushedStream(httpcore.AsyncNetworkStream, Wire):
    """A stream that is read during the handshake, and pushes what comes to its listener from `listen` on."""

    def __init__(self) -> None:
        self._outer: httpcore.AsyncNetworkStream | None = None
        self._listener: StreamListener | None = None
        self._is_hasty = False
        self._is_over = False
        self._error: Exception | None = None

    def under(self, outer: httpcore.AsyncNetworkStream) -> Self:
        """Push first what another stream holds back, such as the bytes after the handshake's answer."""
        self._outer = outer
        return self

    @property
    def is_over(self) -> bool:
        """Whether the peer sends nothing more, or the connection is lost."""
        return self._is_over

    def stop_waiting(self) -> None:
        """Let `read` return at once from now on."""
        self._is_hasty = True

    async def listen(self, listener: StreamListener, tasks: anyio.abc.TaskGroup) -> None:
        """Push everything to the listener from now on, first what has come already."""
        self.stop_waiting()
        outer, self._outer = self._outer or self, None
        try:
            while data := await outer.read(READ_BYTES):
                listener.data_received(data)
        except LOST:
            self._end()
        was_over, self._listener = self._is_over, listener
        await self._begin(tasks)
        if was_over:
            listener.connection_lost()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # httpcore's interface
        """Send bytes and wait until they are gone; `timeout` in seconds."""
        self.put(buffer)
        with in_time(timeout, httpcore.WriteTimeout):
            await self.settled()
        if self._is_over:
            raise httpcore.WriteError("the connection is over") from self._error

    async def aclose(self) -> None:
        """Hang up."""
        await self.release()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
    ) -> httpcore.AsyncNetworkStream:
        """Put TLS on top; this stream must not be used directly afterwards."""
        stream = TlsStream(self, ssl_context, server_hostname)
        with in_time(timeout, httpcore.ConnectTimeout):
            await stream.handshake()
        return stream

    def get_extra_info(self, info: str) -> Any:
        """This stream as a `Wire` under the name of "wire"."""
        return self if info == "wire" else None

    @abstractmethod
    async def _begin(self, tasks: anyio.abc.TaskGroup) -> None:
        """Start what pushes to the listener."""

    def _end(self) -> None:
        """Notify the listener, once and for the last time, that nothing more will come."""
        if not self._is_over:
            self._is_over = True
            listener, self._listener = self._listener, None
            if listener is not None:
                listener.connection_lost()


class TlsStream(PushedStream):
    """A client's TLS connection; `handshake` comes first.

    Args:
        lower: The stream that carries the records.
        context: The authorities to trust.
        hostname: The name that the peer's certificate has to hold.
    """

    def __init__(self, lower: PushedStream, context: ssl.SSLContext, hostname: str | None) -> None:
        super().__init__()
        self._lower = lower
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)

    async def handshake(self) -> None:
        """Agree on keys.

        Raises:
            httpcore.ConnectError: The certificate is not to be trusted, or the peer refuses the handshake.
        """
        try:
            while True:
                try:
                    self._tls.do_handshake()
                except ssl.SSLWantReadError:
                    await self._more()
                else:
                    self._flush()
                    return
        except (ssl.SSLError, httpcore.NetworkError) as error:
            self._flush()
            await self.aclose()
            raise httpcore.ConnectError(str(error)) from error

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # httpcore's interface
        """Up to `max_bytes` bytes, or none at the end; `timeout` in seconds."""
        while True:
            try:
                data = self._tls.read(max_bytes)
            except ssl.SSLWantReadError:
                if not await self._more(timeout) and self._is_hasty:
                    return b""
                continue
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                data = b""
            except ssl.SSLError as error:
                raise httpcore.ReadError(str(error)) from error
            if not data:
                self._end()
            return data

    def stop_waiting(self) -> None:
        """Let `read` return at once from now on."""
        super().stop_waiting()
        self._lower.stop_waiting()

    async def _begin(self, tasks: anyio.abc.TaskGroup) -> None:
        """Listen to the records."""
        await self._lower.listen(self, tasks)

    def data_received(self, data: bytes) -> None:
        """Decrypt what has come and hand it on; an empty read is the peer's close of TLS."""
        self._incoming.write(data)
        try:
            while plain := self._tls.read(READ_BYTES):
                if self._listener is not None:
                    self._listener.data_received(plain)
            self._end()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._end()
        if self._outgoing.pending:
            self._flush()

    def connection_lost(self) -> None:
        """Hand on the end of the records."""
        self._end()

    def writable(self) -> None:
        """Hand on that the records are gone."""
        if self._listener is not None:
            self._listener.writable()

    def put(self, data: bytes) -> None:
        """Encrypt and send."""
        if data and not self._is_over:
            try:
                self._tls.write(data)
            except ssl.SSLError:
                self._end()
            self._flush()

    @property
    def waiting_bytes(self) -> int:
        """How many bytes of records the kernel has not taken yet."""
        return self._lower.waiting_bytes

    async def settled(self) -> None:
        """Wait until the kernel has taken all of it."""
        await self._lower.settled()

    async def release(self) -> None:
        """Hang up."""
        await self._lower.release()
        self._end()

    def get_extra_info(self, info: str) -> Any:
        """The facts of TLS, and of the socket below, that httpcore and httpx ask for."""
        if info == "ssl_object":
            return self._tls
        return super().get_extra_info(info) or self._lower.get_extra_info(info)

    def _flush(self) -> None:
        self._lower.put(self._outgoing.read())

    async def _more(self, timeout_s: float | None = None) -> bool:
        """Exchange records with the peer once; False says that none has come."""
        self._flush()
        data = await self._lower.read(READ_BYTES, timeout_s)
        if data:
            self._incoming.write(data)
        elif not self._is_hasty:
            self._incoming.write_eof()
        return bool(data)


@contextlib.contextmanager
def in_time(timeout_s: float | None, late: type[httpcore.TimeoutException]) -> Iterator[None]:
    """Raise `late` where the block takes longer than this, None for any time."""
    if timeout_s is None:
        yield
        return
    try:
        with anyio.fail_after(timeout_s):
            yield
    except TimeoutError as error:
        raise late(f"nothing within {timeout_s:g} s") from error
