"""One request to an endpoint over plain HTTP, and its whole answer."""

from dataclasses import dataclass

import anyio
import httpx

from runner import redaction
from runner.connect.handshake import Address, checked_headers, checked_url
from runner.connect.network import CONNECTION_ERRORS, TcpBackend, explain, place, proxy_of
from runner.connect.tls import tls_context
from runner.connect.transport import Transport
from runner.errors import EndpointUnreachable
from runner.settings.endpoint import Network


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What an endpoint answers, whatever its status."""

    status: int
    headers: httpx.Headers
    body: bytes


async def exchange(
    address: Address, network: Network, *, timeout_s: float, most_bytes: int, content: bytes | None = None
) -> HttpAnswer:
    """Send one request on a connection of its own, and take its answer.

    Args:
        address: Where to, and with which headers.
        network: Proxy and trust.
        timeout_s: How long all of it may take, in seconds.
        most_bytes: The longest answer that is taken.
        content: The JSON that is posted; without it the request only asks.

    Raises:
        EndpointUnreachable: There is no answer in time, or one that is too long.
        SessionRefused: The credential must not be sent there.
        ProfileError: The proxy's address or a file for TLS cannot be used.
    """
    url = checked_url(address, network)
    proxy = proxy_of(url, network.proxy)
    trust = tls_context(network.ca_file, network.client_certificate) if url.scheme == "https" else None
    headers = checked_headers(address) | ({} if content is None else {"content-type": "application/json"})
    method = "GET" if content is None else "POST"
    with redaction.hidden(address.secrets()), anyio.move_on_after(timeout_s):
        try:
            async with (
                httpx.AsyncClient(
                    transport=Transport(url, TcpBackend(), trust, proxy),
                    trust_env=False,
                    timeout=None,  # noqa: S113  # one limit holds for all of it
                ) as client,
                client.stream(method, address.shown_url(), headers=headers, content=content) as response,
            ):
                body = bytearray()
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > most_bytes:
                        raise EndpointUnreachable(f"the answer of {place(url)} is longer than {most_bytes} bytes")
                return HttpAnswer(response.status_code, response.headers, bytes(body))
        except CONNECTION_ERRORS as error:
            reason, hint = explain(error)
            raise EndpointUnreachable(f"cannot reach {place(url)}: {reason}", hint=hint) from None
    raise EndpointUnreachable(f"no answer of {place(url)} within {timeout_s:g} s")
