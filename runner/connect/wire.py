"""Below a WebSocket: a wire pushes the bytes that come to its listener, and takes bytes to send without a wait."""

import contextlib
from abc import ABC, abstractmethod
from typing import Protocol

import anyio
import anyio.abc
import httpcore

READ_BYTES = 65536
_WRITE_BYTES = 65536
_RELEASE_TIMEOUT_S = 1.0
LOST = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    anyio.BrokenResourceError,
    anyio.BusyResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    OSError,
)
"""How a stream says that its connection is over."""


class StreamListener(Protocol):
    """The listener of a wire; none of its methods may wait."""

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""

    def connection_lost(self) -> None:
        """Nothing more will come; called once."""

    def writable(self) -> None:
        """Everything that was put has been taken."""


class Wire(ABC):
    """One open connection, listened to from `listen` on."""

    @abstractmethod
    async def listen(self, listener: StreamListener, tasks: anyio.abc.TaskGroup) -> None:
        """Push everything to the listener from now on, first what has come already."""

    @abstractmethod
    def put(self, data: bytes) -> None:
        """Send bytes after those that were put before; a connection that is over drops them."""

    @property
    @abstractmethod
    def waiting_bytes(self) -> int:
        """How many of the bytes that were put the peer has still to take."""

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether nothing can be sent any more."""

    @abstractmethod
    async def settled(self) -> None:
        """Wait until everything that was put has been taken, or the connection is over."""

    @abstractmethod
    async def release(self) -> None:
        """Hang up at once; what is still waiting is dropped."""

    async def settle(self, within_s: float) -> bool:
        """Wait as `settled` does; False says that the peer has taken nothing for `within_s` seconds."""
        while self.waiting_bytes:
            before_bytes = self.waiting_bytes
            with anyio.move_on_after(within_s):
                await self.settled()
                return True
            if self.waiting_bytes >= before_bytes:
                return False
        return True


def wire_below(stream: httpcore.AsyncNetworkStream) -> Wire:
    """The wire of a stream: the one that its connection offers as "wire", else one that pulls."""
    wire = stream.get_extra_info("wire")
    return PulledWire(stream) if wire is None else wire.under(stream)


class PulledWire(Wire):
    """A wire over any stream of httpcore's, with a task that reads and one that writes.

    Args:
        stream: The open stream.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._outgoing = bytearray()
        self._news = anyio.Event()
        self._settled = anyio.Event()
        self._settled.set()
        self._is_over = False
        self._life = anyio.CancelScope(shield=True)

    async def listen(self, listener: StreamListener, tasks: anyio.abc.TaskGroup) -> None:
        """Start the two tasks, which live until `release`: a cancelled caller needs them to close."""
        tasks.start_soon(self._live, listener)

    async def _live(self, listener: StreamListener) -> None:
        with self._life:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write, listener)
                await self._read(listener)
                tasks.cancel_scope.cancel()

    def put(self, data: bytes) -> None:
        """Leave bytes for the task that writes."""
        if self._is_over or not data:
            return
        self._outgoing += data
        self._news.set()
        if self._settled.is_set():
            self._settled = anyio.Event()

    @property
    def waiting_bytes(self) -> int:
        """How many bytes the writing task has still to write."""
        return len(self._outgoing)

    @property
    def is_over(self) -> bool:
        """Whether reading or writing has failed, or `release` was called."""
        return self._is_over

    async def settled(self) -> None:
        """Wait for the task that writes."""
        await self._settled.wait()

    async def release(self) -> None:
        """Close the stream, which ends both tasks."""
        self._end()
        try:
            with anyio.move_on_after(_RELEASE_TIMEOUT_S, shield=True), contextlib.suppress(*LOST):
                await self._stream.aclose()
        finally:
            self._life.cancel()

    async def _read(self, listener: StreamListener) -> None:
        with contextlib.suppress(*LOST):
            while data := await self._stream.read(READ_BYTES):
                listener.data_received(data)
        self._end()
        listener.connection_lost()

    async def _write(self, listener: StreamListener) -> None:
        try:
            while not self._is_over:
                await self._news.wait()
                while self._outgoing:
                    piece = bytes(self._outgoing[:_WRITE_BYTES])
                    await self._stream.write(piece)
                    del self._outgoing[: len(piece)]
                self._news = anyio.Event()
                self._settled.set()
                listener.writable()
        except LOST:
            # The reader finds out why: the peer's last words may still be unread.
            self._end()

    def _end(self) -> None:
        self._is_over = True
        self._outgoing.clear()
        self._news.set()
        self._settled.set()
