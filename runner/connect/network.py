"""The way to an endpoint: streams that are always released, proxies, and reasons of failures in plain words."""

import asyncio
import ipaddress
import os
import socket
import ssl
import urllib.request
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

import anyio
import httpcore
import httpx

from runner import redaction
from runner.errors import ProfileError
from runner.settings.hosts import is_local_name
from runner.settings.proxy_address import proxy_problem

CONNECTION_ERRORS = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpx.HTTPError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    OSError,
)
"""All that opening a connection, or using one, may raise."""
_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class TcpBackend(httpcore.AnyIOBackend):
    """Opens TCP connections on asyncio and trio, and releases also those that a failed handshake left open."""

    def __init__(self) -> None:
        self._opened: list[httpcore.AsyncNetworkStream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Open one connection, as httpcore asks; a name below `localhost` means this machine."""
        host = "localhost" if is_local_name(host) else host
        stream: httpcore.AsyncNetworkStream
        if _is_asyncio():
            from runner.connect.asyncio_stream import connect

            stream = await connect(host, port, timeout, local_address, socket_options or ())
        else:
            stream = await super().connect_tcp(host, port, timeout, local_address, socket_options)
        self._opened.append(stream)
        return stream

    async def release(self) -> None:
        """Hang up all that was opened."""
        with anyio.CancelScope(shield=True):
            for stream in self._opened:
                await stream.aclose()


def _is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def hide_proxy_passwords(proxy: str | None) -> None:
    """Keep the password of the proxy that is set, and of those in the environment, out of every log line."""
    # Asked by name: urllib's `getproxies` goes through the whole environment, which each connection would pay for.
    for address in (proxy, *map(os.environ.get, _PROXY_VARIABLES)):
        _hide_password(address or "")


def _hide_password(proxy: str) -> None:
    # The text is split by hand: what no URL may hold in a password is to be hidden too.
    password = proxy.rpartition("@")[0].rpartition("://")[2].partition(":")[2]
    for each in {password, unquote(password)} if password else ():
        redaction.hide(each)


def proxy_of(url: httpx.URL, own: str | None = None) -> str | None:
    """The proxy of a connection to this address, whose password is in no log line from now on; None for plain HTTP.

    Args:
        url: The address.
        own: The proxy that its settings name; without it the environment's holds.
    """
    if url.scheme == "http":
        return None
    hide_proxy_passwords(own)
    return own or environment_proxy(url)


def environment_proxy(url: httpx.URL) -> str | None:
    """The proxy that `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` choose: httpx's rules, and networks in `NO_PROXY`."""
    proxies = urllib.request.getproxies()
    if any(_is_exempt(entry.strip().lower(), url) for entry in proxies.get("no", "").split(",")):
        return None
    proxy = (proxies.get(url.scheme) or proxies.get("all") or "").strip()
    if not proxy:
        return None
    # The system may know it from elsewhere than those variables.
    _hide_password(proxy)
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_exempt(entry: str, url: httpx.URL) -> bool:
    if entry in {"", "*"}:
        return entry == "*"
    scheme, exact, name = entry.rpartition("://")
    if exact and scheme not in {"all", url.scheme}:
        return False
    try:
        return ipaddress.ip_address(host_of(url)) in ipaddress.ip_network(name.strip("[]"), strict=False)
    except ValueError:
        pass
    name, _, port = name.partition(":")
    if port and port != place(url).rpartition(":")[2]:
        return False
    host = host_of(url)
    if name == host:
        return True
    return not (exact or name == "localhost") and host.endswith("." + name.lstrip("*."))


def core_proxy(address: str, ssl_context: ssl.SSLContext | None) -> httpcore.Proxy:
    """The proxy at this address, credentials included, as httpcore wants it.

    Raises:
        ProfileError: It is no address of a proxy; the message does not repeat it, since it may hold a password.
    """
    problem = proxy_problem(address)
    try:
        proxy = None if problem else httpx.Proxy(address)
    except (ValueError, httpx.InvalidURL):
        proxy, problem = None, "is not a URL"
    if proxy is None:
        msg = f"the address of the proxy {problem}"
        raise ProfileError(msg, hint="check `endpoint.proxy`, HTTPS_PROXY and ALL_PROXY")
    tls = ssl_context if proxy.url.scheme == "https" else None
    return httpcore.Proxy(core_url(proxy.url), auth=proxy.raw_auth, headers=proxy.headers.raw, ssl_context=tls)


def core_url(url: httpx.URL) -> httpcore.URL:
    """The same address, as httpcore wants it."""
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def place(url: httpx.URL) -> str:
    """`host:port` of an address, which is all of it that a message may hold."""
    port = url.port or _DEFAULT_PORTS.get(url.scheme, 0)
    host = host_of(url)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_of(url: httpx.URL) -> str:
    """The host of an address, as people write it where it can be written so."""
    try:
        return url.host
    except ValueError:
        # It only looks as if it were encoded for the name service.
        return url.raw_host.decode("ascii", "replace")


def explain(error: BaseException) -> tuple[str, str]:
    """Why a connection failed, and a hint, in words that hold nothing of the request."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "`endpoint.ca_file` names authorities to trust instead of the system's"
            return f"certificate verify failed: {cause.verify_message}", hint
        if isinstance(cause, ssl.SSLError):
            why = getattr(cause, "reason", None) or "for an unknown reason"
            return f"the TLS handshake failed: {why.replace('_', ' ').lower()}", ""
        if isinstance(cause, socket.gaierror):
            return "its name cannot be resolved", "check the address and the network"
        if isinstance(cause, httpcore.ProxyError):
            return _explain_proxy(str(cause))
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused", ""
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower(), ""
    return "the connection broke during the handshake", ""


def _explain_proxy(text: str) -> tuple[str, str]:
    status = text.partition(" ")[0]
    if status == "407" or "USERNAME/PASSWORD" in text.upper():
        return "the proxy wants a valid user name and password", "put them into the address of the proxy"
    if status.isdigit():
        return f"the proxy answered {status}", ""
    return "the proxy could not connect", ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _causes(part)
        error = error.__cause__ or error.__context__
