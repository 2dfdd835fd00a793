"""Streams that push: read as any other during the handshake, and listened to afterwards."""

import contextlib
import ssl
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Self

import anyio
import anyio.abc
import httpcore

from runner.connect.wire import LOST, READ_BYTES, Listener, Wire


class PushedStream(httpcore.AsyncNetworkStream, Wire):
    """A stream that is read as any other during the handshake and pushes what comes once somebody listens."""

    def __init__(self) -> None:
        self._outer: httpcore.AsyncNetworkStream = self
        self._listener: Listener | None = None
        self._is_hasty = False
        self._is_over = False
        self._fault: Exception | None = None

    def under(self, outer: httpcore.AsyncNetworkStream) -> Self:
        """Have what another stream holds back, such as the bytes after the handshake's answer, pushed first."""
        self._outer = outer
        return self

    @property
    def is_over(self) -> bool:
        """Whether the peer sends nothing more, or the connection is lost."""
        return self._is_over

    def stop_waiting(self) -> None:
        """Let `read` return at once from now on."""
        self._is_hasty = True

    async def listen(self, listener: Listener, tasks: anyio.abc.TaskGroup) -> None:
        """Push everything to the listener from now on, first what has come already."""
        self.stop_waiting()
        try:
            while data := await self._outer.read(READ_BYTES):
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
            raise httpcore.WriteError("the connection is over") from self._fault

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
        from runner.connect.tls_stream import TlsStream

        stream = TlsStream(self, ssl_context, server_hostname)
        with in_time(timeout, httpcore.ConnectTimeout):
            await stream.handshake()
        return stream

    def get_extra_info(self, info: str) -> Any:
        """This stream as a `Wire` under the name of "wire"."""
        return self if info == "wire" else None

    @abstractmethod
    async def _begin(self, tasks: anyio.abc.TaskGroup) -> None:
        """Do what the listener needs beyond being known."""

    def _end(self) -> None:
        """Tell the listener, once, that nothing more will come."""
        if not self._is_over:
            self._is_over = True
            if self._listener is not None:
                self._listener.connection_lost()


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
