"""Connections to MCP servers: over the standard streams of a program, or over HTTP."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
import httpx

from runner import __version__
from runner.connect.network import proxy_of
from runner.connect.tls import tls_context
from runner.errors import ProfileError
from runner.installation import install_command
from runner.protocol.severity import brief
from runner.settings.mcp_server import HttpServer, StdioServer
from runner.tools.given_texts import program_environment, request_headers

if TYPE_CHECKING:
    from mcp import Client

    from runner.settings.mcp_server import McpServerSettings

_PART_BYTES: Final = 4096
_LOGGERS: Final = ("mcp", "client", "httpx2", "httpcore2")
_CONNECT_TIMEOUT_S: Final = 10.0


async def load_package() -> None:
    """Import the MCP library in a thread, since that takes half a second.

    Raises:
        ProfileError: It is not installed.
    """
    try:
        await anyio.to_thread.run_sync(_import)
    except ImportError as error:
        msg = f"MCP servers need {error.name or 'mcp'}, which is not installed"
        raise ProfileError(msg, hint=install_command("mcp")) from None


def _import() -> None:
    import mcp  # noqa: F401  # for the next import

    # What it logs as an error is answered to the model, and Python would print it unredacted among the log lines.
    for name in _LOGGERS:
        logging.getLogger(name).addHandler(logging.NullHandler())


@asynccontextmanager
async def open_client(
    server: McpServerSettings,
    *,
    on_lost: Callable[[], None],
    on_message: Callable[[Any], None],
    on_status: Callable[[int], None],
    on_error_line: Callable[[str], None],
) -> AsyncIterator[Client]:
    """Connect to a server for the length of the block.

    Args:
        server: The server.
        on_lost: Called when nothing more can come from it.
        on_message: Called with each message that answers no request.
        on_status: Called with the status of each answer of HTTP.
        on_error_line: Called with each line that a program writes to standard error.

    Raises:
        OSError: The program cannot be started.
        RunnerError: A reference leads nowhere, or a file for TLS cannot be used.
        MCPError: The server refuses the connection; as for all that the library raises, in an exception group or not.
    """
    from mcp import Client, Implementation

    async def handle(message: Any) -> None:
        on_message(message)

    match server.run:
        case StdioServer() as run:
            streams = _stdio(run, on_error_line)
        case HttpServer() as run:
            streams = _http(run, on_status)
        case _:
            msg = f"the server {server.name} is not one that rt-run calls"
            raise TypeError(msg)
    client = Client(
        _watched(streams, on_lost),
        client_info=Implementation(name="rt-run", version=__version__),
        message_handler=handle,
        # Calls have a bound of their own.
        read_timeout_seconds=server.connect_timeout_s,
        cache=None,
    )
    async with client:
        yield client


@asynccontextmanager
async def _stdio(run: StdioServer, on_error_line: Callable[[str], None]) -> AsyncIterator[Any]:
    from mcp import StdioServerParameters, stdio_client

    variables = await program_environment(run.env, run.pass_env)
    program, *arguments = run.argv
    parameters = StdioServerParameters(
        command=program, args=arguments, env=variables, cwd=run.cwd, encoding_error_handler="replace"
    )
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    said = _ErrorLines(reading, on_error_line)
    try:
        # What it says on standard error is for the log.
        with os.fdopen(writing, "w") as errors:
            async with anyio.create_task_group() as tasks:
                async with stdio_client(parameters, errlog=errors) as streams:
                    errors.close()
                    tasks.start_soon(said.read)
                    yield streams
                tasks.cancel_scope.cancel()
    finally:
        # What it said last may say why it has ended.
        said.take_rest()
        os.close(reading)


class _ErrorLines:
    """The lines that a program writes to standard error, each cut where it is long."""

    def __init__(self, descriptor: int, tell: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._tell = tell
        self._begun = b""

    async def read(self) -> None:
        """Tell of each line until there are no more."""
        is_open = True
        while is_open:
            await anyio.wait_readable(self._descriptor)
            is_open = self._take()

    def take_rest(self) -> None:
        """Tell of what is there already."""
        with suppress(BlockingIOError):
            while self._take():
                pass

    def _take(self) -> bool:
        """Read a part; whether another may follow. Raises `BlockingIOError` where there is none yet."""
        part = os.read(self._descriptor, _PART_BYTES)
        *lines, self._begun = (self._begun + part).split(b"\n") if part else (self._begun, b"")
        if len(self._begun) > _PART_BYTES:
            lines, self._begun = [*lines, self._begun], b""
        for line in lines:
            if text := brief(line.decode(errors="replace")):
                self._tell(text)
        return bool(part)


@asynccontextmanager
async def _http(run: HttpServer, on_status: Callable[[int], None]) -> AsyncIterator[Any]:
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    async def note(response: httpx2.Response) -> None:
        on_status(response.status_code)

    url = httpx.URL(str(run.url))
    is_encrypted = url.scheme == "https"
    async with (
        httpx2.AsyncClient(
            headers={"user-agent": f"rt-run/{__version__}", **await request_headers(run.headers)},
            verify=tls_context(run.ca_file) if is_encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            proxy=proxy_of(url, run.proxy),
            trust_env=False,
            event_hooks={"response": [note]},
            # The client bounds every request, and a stream of news is silent for as long as there are none.
            timeout=httpx2.Timeout(None, connect=_CONNECT_TIMEOUT_S),
        ) as client,
        streamable_http_client(str(run.url), http_client=client) as streams,
    ):
        yield streams


@asynccontextmanager
async def _watched(streams: Any, on_end: Callable[[], None]) -> AsyncIterator[Any]:
    async with streams as (reading, writing):
        yield _WatchedStream(reading, on_end), writing


class _WatchedStream:
    """A stream of messages that says when it has ended."""

    def __init__(self, stream: Any, on_end: Callable[[], None]) -> None:
        self._stream = stream
        self._on_end = on_end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except (StopAsyncIteration, anyio.ClosedResourceError):
            self._on_end()
            raise

    async def receive(self) -> Any:
        try:
            return await self._stream.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self._on_end()
            raise

    async def __aenter__(self) -> Any:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> Any:
        return await self._stream.__aexit__(*raised)
