"""A small server for the local endpoint over TCP, or over any other byte stream."""

import errno
import math
import ssl
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import unquote_to_bytes

import anyio
import anyio.abc
import h11
from anyio.abc import ByteStream, SocketAttribute, SocketListener, SocketStream, TaskGroup, TaskStatus
from anyio.streams.tls import TLSStream
from wsproto.utilities import RemoteProtocolError

from runner import logs
from runner.errors import reason_of
from runner.local.server.asgi import Asgi, Message, Scope
from runner.local.server.asgi_responses import Headers, error_body
from runner.local.server.faulty_stream import EXTENSION, FaultyStream
from runner.local.server.server_websocket import GOING_AWAY, PeerGone, ServerSocket

_PHRASES: Final = {each.value: each.phrase for each in HTTPStatus}
_READ_BYTES: Final = 65536
_REQUEST_TIMEOUT_S: Final = 10.0
_LINGER_S: Final = 1.0
_CLOSE_TIMEOUT_S: Final = 1.0
_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_EXHAUSTED_WAIT_S: Final = 0.2


async def serve(
    app: Asgi,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    max_connections: float = math.inf,
    task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Listen until cancelled, then close every open session with code 1001, within a second.

    There is no authentication: the caller decides whether `host` may be anything but a loopback address.

    Args:
        app: The application.
        host: The address to listen on, such as `127.0.0.1`.
        port: The port; 0 for any free one.
        tls: The server's certificate and key; None for plain HTTP.
        max_connections: How many are served at a time; those that come then wait for them.
        task_status: Started with the bound port once the server accepts connections.

    Raises:
        OSError: The address cannot be bound.
    """
    listener = await anyio.create_tcp_listener(local_host=host, local_port=port)
    async with listener, anyio.create_task_group() as connections:
        task_status.started(int(listener.extra(SocketAttribute.local_port)))  # noqa: S610  # anyio's, not Django's
        slots = anyio.CapacityLimiter(max_connections)
        for each in cast("Sequence[SocketListener]", listener.listeners):
            connections.start_soon(_accept, each, partial(_serve_connection, app, tls), connections, slots)


async def _accept(
    listener: SocketListener,
    handle: Callable[[ByteStream], Coroutine[Any, Any, None]],
    connections: TaskGroup,
    slots: anyio.CapacityLimiter,
) -> None:
    """Take connections until cancelled; where files or memory have run out, those that come wait for them."""

    async def serve_next(stream: SocketStream, slot: object) -> None:
        try:
            await handle(stream)
        finally:
            slots.release_on_behalf_of(slot)

    is_told = False
    while True:
        await slots.acquire_on_behalf_of(slot := object())
        try:
            stream = await listener.accept()
        except (OSError, anyio.BrokenResourceError) as error:
            # On trio, the system's error is the cause of anyio's. What else can be wrong is wrong with one client.
            cause = error if isinstance(error, OSError) else error.__cause__
            if not is_told and isinstance(cause, OSError) and cause.errno in _EXHAUSTED:
                hint = "clients wait until others leave; `ulimit -n` allows more"
                logs.logger().warning("connections_exhausted", reason=reason_of(cause), hint=hint)
                is_told = True
            slots.release_on_behalf_of(slot)
            await anyio.sleep(_EXHAUSTED_WAIT_S)
        else:
            connections.start_soon(serve_next, stream, slot)


async def _serve_connection(app: Asgi, tls: ssl.SSLContext | None, stream: ByteStream) -> None:
    """Serve one connection, behind TLS where there is a context."""
    if tls is None:
        await serve_stream(app, stream)
        return
    try:
        with anyio.fail_after(_REQUEST_TIMEOUT_S):
            encrypted = await TLSStream.wrap(stream, server_side=True, ssl_context=tls, standard_compatible=False)
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        # What is no TLS, or TLS that does not trust this certificate; a timeout is an OSError too.
        logs.logger().info("tls_handshake_failed", reason=reason_of(error))
        await anyio.aclose_forcefully(stream)
        return
    await serve_stream(app, encrypted)


async def serve_stream(app: Asgi, stream: ByteStream, *, close_timeout_s: float = _CLOSE_TIMEOUT_S) -> None:
    """Serve one HTTP request or one WebSocket on a stream, and close it; errors are logged, never raised.

    Args:
        app: The application.
        stream: The stream that carries the connection.
        close_timeout_s: How long a cancelled WebSocket may take to close, in seconds.
    """
    # On asyncio, anyio stops reading a socket only once `receive` had to wait; before that, a client that sends
    # without pause could fill the memory.
    transport = getattr(getattr(stream, "transport_stream", stream), "_transport", None)
    if transport is not None:
        transport.pause_reading()
    try:
        await _serve(app, FaultyStream(stream), close_timeout_s)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, PeerGone):
        logs.logger().debug("connection_lost")
    except Exception:  # noqa: BLE001  # one broken connection must not end the others
        logs.logger().exception("connection_failed")
    finally:
        await anyio.aclose_forcefully(stream)


async def _serve(app: Asgi, stream: FaultyStream, close_timeout_s: float) -> None:
    parser = h11.Connection(h11.SERVER)
    try:
        with anyio.fail_after(_REQUEST_TIMEOUT_S):
            request = await _read_request(parser, stream)
    except TimeoutError:
        return
    except h11.RemoteProtocolError as error:
        body = error_body(f"Malformed request: {error}.", "invalid_request")
        await _respond(stream, error.error_status_hint, [], body)
        return
    if request is None:
        return
    exchange = _Exchange(parser, stream, request)
    if not _is_upgrade(request):
        await app(exchange.scope("http"), exchange.receive, exchange.send)
        return
    version = {value for name, value in request.headers if name == b"sec-websocket-version"}
    if version != {b"13"}:
        body = error_body("Unsupported WebSocket version.", "invalid_request")
        await _respond(stream, 426, [(b"sec-websocket-version", b"13")], body)
        return
    try:
        socket = _socket(parser, stream, request)
    except RemoteProtocolError as error:
        await _respond(stream, 400, [], error_body(f"Malformed WebSocket handshake: {error}.", "invalid_request"))
        return
    await _serve_socket(app, exchange, socket, close_timeout_s)


def _socket(parser: h11.Connection, stream: FaultyStream, request: h11.Request) -> ServerSocket:
    if not any(value for name, value in request.headers if name == b"sec-websocket-key"):
        raise RemoteProtocolError("Missing header, 'Sec-WebSocket-Key'")
    return ServerSocket(stream, request, parser.trailing_data[0])


async def _serve_socket(app: Asgi, exchange: "_Exchange", socket: ServerSocket, close_timeout_s: float) -> None:

    async def send(message: Message) -> None:
        if str(message["type"]).startswith("websocket.http.response"):
            await exchange.send({**message, "type": str(message["type"]).removeprefix("websocket.")})
        elif message["type"] == "websocket.close" and not socket.accepted:
            await _respond(exchange.stream, 403, [], error_body("Forbidden.", "forbidden"))
        else:
            await socket.send(message)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(socket.watch, close_timeout_s)
        try:
            await app(exchange.scope("websocket", subprotocols=socket.offered), socket.receive, send)
            await socket.close(1000)
        except PeerGone:
            pass
        except Exception:  # noqa: BLE001  # any server answers an error of its application with 1011
            logs.logger().exception("application_failed")
            await socket.close(1011, "The server had an error.")
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(close_timeout_s, shield=True):
                await socket.close(GOING_AWAY, "The server is shutting down.")
            raise
        tasks.cancel_scope.cancel()


class _Exchange:
    """One HTTP request and its response, as ASGI sees them."""

    def __init__(self, parser: h11.Connection, stream: FaultyStream, request: h11.Request) -> None:
        self.parser = parser
        self.stream = stream
        self.request = request
        self._start: Message = {}
        self._body = b""

    def scope(self, kind: str, **more: Any) -> Scope:
        """The ASGI scope of the request."""
        path, _, query = self.request.target.partition(b"?")
        return {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": self.request.http_version.decode("ascii"),
            "method": self.request.method.decode("ascii"),
            "scheme": "ws" if kind == "websocket" else "http",
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": list(self.request.headers),
            "client": None,
            "server": None,
            "extensions": {"websocket.http.response": {}, EXTENSION: self.stream} if kind == "websocket" else {},
            **more,
        }

    async def receive(self) -> Message:
        """Receive an empty body: no response depends on the request's own, so it is not read."""
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        """Collect the response, and write it once it is complete."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if not message.get("more_body"):
            head = self.request.method == b"HEAD"
            await _respond(self.stream, self._start["status"], self._start["headers"], self._body, head=head)


def _is_upgrade(request: h11.Request) -> bool:
    values: dict[bytes, bytes] = {}
    for name, value in request.headers:
        values[name] = values.get(name, b"") + b"," + value.lower()
    upgrade = {each.strip() for each in values.get(b"upgrade", b"").split(b",")}
    connection = {each.strip() for each in values.get(b"connection", b"").split(b",")}
    return request.method == b"GET" and b"websocket" in upgrade and b"upgrade" in connection


async def _read_request(parser: h11.Connection, stream: ByteStream) -> h11.Request | None:
    while True:
        found = parser.next_event()
        if isinstance(found, h11.Request):
            return found
        if found is not h11.NEED_DATA:
            return None
        try:
            parser.receive_data(await stream.receive(_READ_BYTES))
        except anyio.EndOfStream:
            return None


async def _respond(stream: ByteStream, status: int, headers: Headers, body: bytes, *, head: bool = False) -> None:
    """Write a response and end the stream, reading on for a moment so that no reset overtakes the response."""
    fields = {b"content-type": b"application/json", b"connection": b"close", **dict(headers)}
    fields[b"content-length"] = str(len(body)).encode()
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, '')}".encode()]
    lines += [name + b": " + value for name, value in fields.items()]
    with anyio.move_on_after(_LINGER_S):
        await stream.send(b"\r\n".join([*lines, b"", b"" if head else body]))
        await stream.send_eof()
        while True:
            try:
                await stream.receive(_READ_BYTES)
            except anyio.EndOfStream:
                return
