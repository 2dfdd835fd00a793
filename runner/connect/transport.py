"""HTTP behind httpx's interface, over connections of httpcore's backends and with its errors."""

import contextlib
import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

import anyio
import h11
import httpcore
import httpx

from runner.connect import steps
from runner.connect.network import TcpBackend, core_proxy, core_url
from runner.connect.wire import READ_BYTES

_MOST_HEAD_BYTES = 100 * 1024
"""The longest head of an answer to a handshake that is taken, as with httpcore."""


class Transport(httpx.AsyncBaseTransport):
    """Sends one request after another, through a proxy where there is one.

    Args:
        url: Where every request goes, whatever httpx believes: httpx logs the address that it is given, and the query
            of this one may hold secrets.
        backend: Opens the connections, which are released with the transport.
        trust: The authorities to trust for `https://`.
        proxy: The proxy's address, None for none.
    """

    def __init__(self, url: httpx.URL, backend: TcpBackend, trust: ssl.SSLContext | None, proxy: str | None) -> None:
        self._url = core_url(url)
        self._backend = backend
        self._nonsense = _socks_errors() if proxy and proxy.startswith("socks") else ()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust,
            proxy=core_proxy(proxy, trust) if proxy else None,
            max_connections=1,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request, as httpx asks."""
        assert isinstance(request.stream, httpx.AsyncByteStream)  # noqa: S101  # an asynchronous client makes no other
        asked = httpcore.Request(
            request.method,
            self._url,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            answer = await self._pool.handle_async_request(asked)
        except self._nonsense as error:
            msg = "the proxy does not speak SOCKS5"
            raise httpcore.ProtocolError(msg) from error
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    async def aclose(self) -> None:
        """Hang up."""
        with anyio.CancelScope(shield=True):
            try:
                await self._pool.aclose()
            finally:
                await self._backend.release()


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


def _socks_errors() -> tuple[type[Exception], ...]:
    """What httpcore raises where a SOCKS proxy talks nonsense."""
    import socksio

    return (socksio.SOCKSError, AssertionError)


class HandshakeTransport(httpx.AsyncBaseTransport):
    """Sends the one request of a handshake, which has no body, on a connection of its own with no proxy in between.

    Args:
        url: Where the request goes, as with `Transport`.
        backend: Opens the connection, which is released with the transport.
        trust: The authorities to trust for `https://`, None for `http://`.
    """

    def __init__(self, url: httpx.URL, backend: httpcore.AsyncNetworkBackend, trust: ssl.SSLContext | None) -> None:
        self._url = url
        self._backend = backend
        self._trust = trust
        self._connection: httpcore.AsyncNetworkStream | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Connect, send the request, and take the head of its answer."""
        stream = await self._connected()
        steps.enter("handshake")
        asking = _Asking(stream)
        await asking.ask(self._url.raw_path, request.headers.raw)
        return await asking.answer()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Hang up where something failed; else the WebSocket has done so, whose connection it is."""
        if exc_value is not None:
            await self.aclose()

    async def aclose(self) -> None:
        """Hang up."""
        if self._connection is not None:
            with anyio.CancelScope(shield=True):
                await self._connection.aclose()

    async def _connected(self) -> httpcore.AsyncNetworkStream:
        host = self._url.raw_host.decode("ascii")
        port = self._url.port or (80 if self._trust is None else 443)
        stream = self._connection = await self._backend.connect_tcp(host, port)
        if self._trust is not None:
            steps.enter("tls")
            self._trust.set_alpn_protocols(["http/1.1"])
            stream = await stream.start_tls(self._trust, host)
            steps.see_tls(stream.get_extra_info("ssl_object"))
        return stream


class _Asking(httpx.AsyncByteStream):
    """One request and its answer on a connection; iterated, the body of the answer."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, _MOST_HEAD_BYTES)

    async def ask(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        try:
            data = self._http.send(h11.Request(method="GET", target=target, headers=headers)) or b""
        except h11.LocalProtocolError as error:
            raise httpcore.LocalProtocolError(str(error)) from error
        self._http.send(h11.EndOfMessage())
        # A server may refuse before it has read the request, and its answer counts.
        with contextlib.suppress(httpcore.WriteError):
            await self._stream.write(data)

    async def answer(self) -> httpx.Response:
        head = await self._next()
        while isinstance(head, h11.InformationalResponse) and head.status_code != 101:
            head = await self._next()
        assert isinstance(head, h11.InformationalResponse | h11.Response)  # noqa: S101  # h11 says nothing else first
        extensions = {
            "reason_phrase": head.reason,
            "network_stream": _Upgraded(self._stream, self._http.trailing_data[0]),
        }
        return httpx.Response(head.status_code, headers=head.headers.raw_items(), stream=self, extensions=extensions)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while isinstance(part := await self._next(), h11.Data):
            yield bytes(part.data)

    async def _next(self) -> object:
        """What comes next of the answer."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = await self._stream.read(READ_BYTES)
                if not data and self._http.their_state is h11.SEND_RESPONSE:
                    raise httpcore.RemoteProtocolError("the server disconnected without an answer")
                self._http.receive_data(data)
        except h11.RemoteProtocolError as error:
            raise httpcore.RemoteProtocolError(str(error)) from error
        return event


class _Upgraded(httpcore.AsyncNetworkStream):
    """The connection after a handshake: what came behind the head of the answer is read first."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, early: bytes) -> None:
        self._stream = stream
        self._early = early

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # httpcore's interface
        if self._early:
            early, self._early = self._early[:max_bytes], self._early[max_bytes:]
            return early
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # httpcore's interface
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
