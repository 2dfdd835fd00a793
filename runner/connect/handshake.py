"""From an address to an open WebSocket, or to an error that says what stood in the way."""

import base64
import contextlib
import hashlib
import logging
import math
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import anyio
import anyio.lowlevel
import httpcore
import httpx
import httpx_ws

from runner import __version__, logs, redaction
from runner.connect import steps
from runner.connect.network import CONNECTION_ERRORS, TcpBackend, explain, place, proxy_of
from runner.connect.transport import HandshakeTransport, Transport
from runner.connect.websocket import WebSocket
from runner.errors import EndpointBusy, EndpointUnreachable, ProtocolError, RunnerError, SessionRefused
from runner.protocol.severity import error_for_status
from runner.settings.base_url import USER_INFO_PROBLEM
from runner.settings.endpoint import OPEN_PARAMETERS, Network
from runner.settings.headers import header_problem
from runner.settings.hosts import is_loopback

_ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_REFUSAL_WAIT_S = 2.0
"""How long the words of a refusal may take to come, in seconds; their status counts without them."""
_SHORTEST_SECRET = 8
_HTTPX_LOG = logging.getLogger("httpx")
"""Where programs that embed this look for the requests of httpx."""

parsed_url = lru_cache(maxsize=64)(httpx.URL)
"""The URL that a text is. Sessions share a few addresses, which connections take apart several times each."""


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """What a handshake needs; neither the values of the headers nor the query ever appear in its `repr`.

    Args:
        url: The address, `https://` or, on loopback only, `http://`.
        headers: The request headers, credential included.
    """

    url: str
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        url = parsed_url(self.url)
        return f"Address({url.scheme}://{place(url)}{url.path}, headers={sorted(self.headers)})"

    def shown_url(self) -> str:
        """The URL for people: its query is masked, except what says where the session goes."""
        return _shown(self.url)

    def secrets(self) -> set[str]:
        """What may be secret: words of headers and of the query, except those that say where the session goes."""
        url = parsed_url(self.url)
        query = url.params.multi_items()
        values = [*self.headers.values(), *(value for name, value in query if name not in OPEN_PARAMETERS)]
        known = " ".join([url.host, url.path, *(value for name, value in query if name in OPEN_PARAMETERS)])
        words = {word for value in values for word in (value, *value.split()) if len(word) >= _SHORTEST_SECRET}
        return {word for word in words if word not in known}


@lru_cache(maxsize=64)
def _shown(url: str) -> str:
    parts = urlsplit(url)
    query = [
        (name, value if name in OPEN_PARAMETERS else redaction.MASK)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote, safe="[]")))


@contextlib.asynccontextmanager
async def open_websocket(
    address: Address, network: Network | None, *, backend: httpcore.AsyncNetworkBackend | None = None
) -> AsyncIterator[WebSocket]:
    """Open a WebSocket for the length of the block; what the block raises leaves it unchanged.

    Args:
        address: Where to, and with which headers.
        network: Time limits, proxy, trust, pings and the largest message; None for the defaults.
        backend: Another way to an `http://` server, such as one in this process, without proxy and TLS.

    Raises:
        EndpointUnreachable: No connection, or none in time.
        RunnerError: The endpoint's refusal in its own words, by status and code.
        ProtocolError: The endpoint answered, but not as a WebSocket server does.
        ProfileError: The proxy's address or a file for TLS cannot be used.
    """
    network = network or Network.model_construct()
    url = checked_url(address, network, is_inside=backend is not None)
    proxy = None if backend else proxy_of(url, network.proxy)
    trust = None
    if url.scheme == "https":
        from runner.connect.tls import tls_context

        trust = tls_context(network.ca_file, network.client_certificate)
    wires = TcpBackend()
    transport = Transport(url, wires, trust, proxy) if proxy else HandshakeTransport(url, backend or wires, trust)
    with redaction.hidden(address.secrets()), anyio.move_on_after(network.connect_timeout_s) as limit:
        async with transport, _Handshake(address, network, transport, proxy) as websocket:
            limit.deadline = math.inf
            if limit.cancel_called:
                await anyio.lowlevel.checkpoint()
            yield websocket
    if limit.cancelled_caught:
        msg = f"cannot reach {place(url)}{_through(proxy)} within {network.connect_timeout_s:g} s"
        raise EndpointUnreachable(msg)


class _Handshake:
    """A WebSocket for the length of the block; only the errors of its opening are explained."""

    __slots__ = ("_opening", "_proxy", "_url")

    def __init__(
        self,
        address: Address,
        network: Network,
        transport: httpx.AsyncBaseTransport,
        proxy: str | None,
    ) -> None:
        self._url, self._proxy = parsed_url(address.url), proxy
        client = httpx_ws.AsyncWebSocketClient(
            cast("httpx.AsyncClient", _HandshakeClient(transport)),
            session_class=WebSocket,
            max_message_size_bytes=network.max_message_bytes,
            keepalive_ping_interval_seconds=network.ping_interval_s,
            keepalive_ping_timeout_seconds=network.ping_timeout_s,
        )
        extensions = steps.extensions(has_proxy=proxy is not None)
        self._opening = client.connect(address.shown_url(), headers=checked_headers(address), extensions=extensions)

    async def __aenter__(self) -> WebSocket:
        try:
            return await self._opening.__aenter__()
        except CONNECTION_ERRORS as error:
            raise _unreachable(self._url, self._proxy, error) from None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._opening.__aexit__(kind, error, traceback)


class _HandshakeClient:
    """The part of httpx's client that httpx-ws asks for.

    A handshake takes neither cookies nor redirects nor a login, and looking for them costs half as much again.

    Args:
        transport: Where its request goes.
    """

    __slots__ = ("_transport",)

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    @contextlib.asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], extensions: dict[str, Any]
    ) -> AsyncIterator[httpx.Response]:
        """Send a request, and have its answer, which is checked, for the length of the block."""
        request = httpx.Request(method, parsed_url(url), headers={"accept": "*/*", **headers}, extensions=extensions)
        response = await self._transport.handle_async_request(request)
        try:
            response.request = request
            _HTTPX_LOG.info("HTTP Request: %s %s %d", method, url, response.status_code)
            await _check(response)
            yield response
        finally:
            await response.aclose()


def checked_url(address: Address, network: Network, *, is_inside: bool = False) -> httpx.URL:
    """The URL of an address, judged once more; raises `SessionRefused` where the credential must not go there."""
    try:
        url = parsed_url(address.url)
        # A name that only looks as if it were encoded for the name service has no host either.
        host = url.host
    except (httpx.InvalidURL, ValueError):
        msg = "the endpoint's address is not a URL"
        raise SessionRefused(msg, hint="check `endpoint.base_url`") from None
    if url.scheme not in {"http", "https"} or not host:
        msg = f"the endpoint's address must begin with https://, not {url.scheme}://"
        raise SessionRefused(msg, hint="check `endpoint.base_url`")
    if url.userinfo:
        # httpx would send it instead of the credential.
        raise SessionRefused(USER_INFO_PROBLEM, hint="check `endpoint.base_url`")
    if url.scheme == "http" and not is_inside:
        is_here = is_loopback(host)
        if not is_here and not network.insecure:
            msg = f"{place(url)} would get the credential without TLS"
            hint = "use https://; plain http:// is for loopback addresses, or a trusted network: `endpoint.insecure`"
            raise SessionRefused(msg, hint=hint)
        if network.proxy:
            msg = f"{place(url)} is spoken to without TLS, so no proxy may stand between"
            raise SessionRefused(msg, hint="remove `endpoint.proxy`")
        if not is_here:
            logs.logger().warning("connection_unencrypted", endpoint=place(url))
    return url


def checked_headers(address: Address) -> dict[str, str]:
    """The headers of a request to an address, with our own; raises `SessionRefused` for one that cannot be sent."""
    headers = {"user-agent": f"rt-run/{__version__}", "accept-encoding": "identity"}
    for name, value in address.headers.items():
        problem, hint = header_problem(name, value)
        if problem:
            raise SessionRefused(f"the header {name} {problem}", hint=hint)
        headers[name.lower()] = value
    return headers


def _unreachable(url: httpx.URL, proxy: str | None, error: BaseException) -> RunnerError:
    if isinstance(error, httpcore.RemoteProtocolError) and "disconnected" not in str(error):
        return ProtocolError(f"{place(url)} does not speak HTTP", hint="check `endpoint.base_url`")
    reason, hint = explain(error)
    return EndpointUnreachable(f"cannot reach {place(url)}{_through(proxy)}: {reason}", hint=hint)


def _through(proxy: str | None) -> str:
    return f" through the proxy {place(httpx.URL(proxy))}" if proxy else ""


async def _check(response: httpx.Response) -> None:
    """Refuse an answer to the handshake that does not open a WebSocket."""
    where = place(response.request.url)
    if response.status_code != 101:
        raise await _refusal(response, where)
    key = response.request.headers["sec-websocket-key"].encode()
    digest = hashlib.sha1(key + _ACCEPT_SUFFIX, usedforsecurity=False).digest()
    if response.headers.get("sec-websocket-accept") != base64.b64encode(digest).decode():
        msg = f"{where} answered the WebSocket handshake with a wrong Sec-WebSocket-Accept"
        raise ProtocolError(msg, hint="something between rt-run and the endpoint may replay answers")
    tokens = re.split(r"[\s,]+", response.headers.get("connection", "").lower())
    if response.headers.get("upgrade", "").lower() != "websocket" or "upgrade" not in tokens:
        raise ProtocolError(f"{where} switched protocols, but not to WebSocket")
    for name, what in (("sec-websocket-protocol", "a protocol"), ("sec-websocket-extensions", "an extension")):
        if name in response.headers:
            raise ProtocolError(f"{where} chose {what} that was not offered")


async def _refusal(response: httpx.Response, where: str) -> RunnerError:
    from runner.connect.refused_handshake import explanation, retry_after_s

    status = response.status_code
    if response.is_success:
        msg = f"{where} answered the WebSocket handshake with HTTP {status}"
        return ProtocolError(msg, hint="check the path of `endpoint.base_url`, and that no proxy strips upgrades")
    if "location" in response.headers:
        with contextlib.suppress(httpx.InvalidURL, ValueError):
            target = response.request.url.join(response.headers["location"])
            error = error_for_status(status, f"it redirects to {place(target)}")
            error.hint = error.hint or "redirects are not followed: set `endpoint.base_url` to the right address"
            return error
    code, message = explanation(await _body(response), response.headers)
    wait_s = retry_after_s(response.headers)
    error = error_for_status(status, message or response.reason_phrase, code=code, retry_after_s=wait_s)
    if isinstance(error, EndpointBusy) and wait_s:
        error.hint = "; ".join(each for each in (error.hint, f"try again in {math.ceil(wait_s)} s") if each)
    return error


async def _body(response: httpx.Response) -> bytes:
    """The body of a refusal, as far as it comes before anybody's patience ends."""
    from runner.connect.refused_handshake import BODY_LIMIT_BYTES

    body = bytearray()
    # Half of what is left of the handshake's time, so that the status is known before that is over.
    left_s = (anyio.current_effective_deadline() - anyio.current_time()) / 2
    with anyio.move_on_after(min(_REFUSAL_WAIT_S, left_s)), contextlib.suppress(*CONNECTION_ERRORS):
        async for part in response.aiter_raw():
            body += part[: BODY_LIMIT_BYTES - len(body)]
            if len(body) == BODY_LIMIT_BYTES:
                # Leaving the loop would leave the generators below to the garbage collector.
                await response.extensions["network_stream"].aclose()
    return bytes(body)
