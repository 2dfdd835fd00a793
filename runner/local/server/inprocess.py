"""The local endpoint inside the runner's own process: httpcore connects to it without a socket."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final

import anyio
import httpcore
from anyio.abc import ByteStream, TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from runner.local.server.asgi import Asgi
from runner.local.server.http_server import serve_stream

_CHUNK_BYTES: Final = 65536
_CHUNKS: Final = 4
_CLOSE_TIMEOUT_S: Final = 0.05


class MemoryStream(ByteStream):
    """One end of a pipe in memory, which holds at most 256 KiB that the other end has not read."""

    def __init__(self, outgoing: MemoryObjectSendStream[bytes], incoming: MemoryObjectReceiveStream[bytes]) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self._rest = b""

    async def send(self, item: bytes) -> None:
        """Send bytes; this waits while the pipe is full."""
        view = memoryview(item)
        for start in range(0, len(view), _CHUNK_BYTES):
            await self._outgoing.send(bytes(view[start : start + _CHUNK_BYTES]))

    async def receive(self, max_bytes: int = _CHUNK_BYTES) -> bytes:
        """Receive up to `max_bytes` bytes, at least one."""
        data = self._rest or await self._incoming.receive()
        self._rest = data[max_bytes:]
        return data[:max_bytes]

    async def send_eof(self) -> None:
        """End the sending direction of the stream."""
        self._outgoing.close()

    async def aclose(self) -> None:
        """Close both directions."""
        self._outgoing.close()
        self._incoming.close()


def memory_pipe() -> tuple[MemoryStream, MemoryStream]:
    """Make a pipe; returns its two ends."""
    to_server, at_server = anyio.create_memory_object_stream[bytes](_CHUNKS)
    to_client, at_client = anyio.create_memory_object_stream[bytes](_CHUNKS)
    return MemoryStream(to_server, at_client), MemoryStream(to_client, at_server)


class InProcessStream(httpcore.AsyncNetworkStream):
    """The client's end of a pipe, as httpcore's network stream with httpcore's errors."""

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # httpcore's interface
        """Read up to `max_bytes` bytes, none at the end of the stream; `timeout` is in seconds."""
        try:
            with anyio.fail_after(timeout):
                return await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            return b""
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # httpcore's interface
        """Write bytes; `timeout` is in seconds."""
        try:
            with anyio.fail_after(timeout):
                await self._stream.send(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        """Close the connection; this ends the server's task."""
        await self._stream.aclose()

    async def start_tls(self, *_args: Any, **_options: Any) -> httpcore.AsyncNetworkStream:
        """Refuse TLS: nothing leaves the process.

        Raises:
            httpcore.ConnectError: Always.
        """
        raise httpcore.ConnectError("the local endpoint speaks plain HTTP only")

    def get_extra_info(self, info: str) -> Any:
        """The addresses of both ends; None for all else."""
        return {"client_addr": ("in-process", 0), "server_addr": ("in-process", 0)}.get(info)


class InProcessBackend(httpcore.AsyncNetworkBackend):
    """Connects a client to one application, whatever the address.

    Args:
        app: The application.
        tasks: The task group that runs the server's side of each connection.
    """

    def __init__(self, app: Asgi, tasks: TaskGroup) -> None:
        self._app = app
        self._tasks = tasks

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the application; the arguments change nothing."""
        near, far = memory_pipe()
        serve = partial(serve_stream, self._app, far, close_timeout_s=_CLOSE_TIMEOUT_S)
        self._tasks.start_soon(serve, name=f"local endpoint for {host}:{port}")
        return InProcessStream(near)

    async def connect_unix_socket(self, path: str, *_args: Any, **_options: Any) -> httpcore.AsyncNetworkStream:
        """Refuse a Unix socket: the endpoint has none.

        Raises:
            httpcore.ConnectError: Always.
        """
        raise httpcore.ConnectError(f"the local endpoint has no socket at {path}")

    async def sleep(self, seconds: float) -> None:
        """Sleep for some seconds."""
        await anyio.sleep(seconds)
