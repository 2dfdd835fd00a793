"""The models that an endpoint lists for a key."""

import anyio
import httpx
from pydantic_core import from_json

from runner import redaction
from runner.connect.handshake import Address, checked_headers, checked_url
from runner.connect.network import CONNECTION_ERRORS, TcpBackend, Transport, environment_proxy, explain
from runner.connect.tls import tls_context
from runner.errors import EndpointUnreachable
from runner.settings.endpoint import Network

MAX_LIST_BYTES = 1024 * 1024
"""The longest list that is read, in bytes."""


async def listed_models(address: Address, network: Network) -> list[str]:
    """Ask for the list of models, within the time that a connection may take.

    Args:
        address: Where the list is, with the credential.
        network: Time limit, proxy and trust.

    Raises:
        EndpointUnreachable: There is no such list, for whatever reason.
        SessionRefused: The credential must not be sent there.
    """
    url = checked_url(address, network)
    proxy = None if url.scheme == "http" else network.proxy or environment_proxy(url)
    trust = tls_context(network.ca_file, network.client_certificate) if url.scheme == "https" else None
    with redaction.hidden(address.secrets()), anyio.move_on_after(network.connect_timeout_s):
        try:
            async with (
                TcpBackend() as wires,
                httpx.AsyncClient(
                    transport=Transport(url, wires, trust, proxy),
                    trust_env=False,
                    timeout=None,  # noqa: S113  # one limit holds for all of it
                ) as client,
                client.stream("GET", address.shown_url(), headers=checked_headers(address)) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    raise EndpointUnreachable(f"HTTP {response.status_code}", status=response.status_code)
                return _names(await _body(response))
        except CONNECTION_ERRORS as error:
            raise EndpointUnreachable(explain(error)[0]) from None
    raise EndpointUnreachable(f"no answer within {network.connect_timeout_s:g} s")


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAX_LIST_BYTES:
            raise EndpointUnreachable(f"the list is longer than {MAX_LIST_BYTES} bytes")
    return bytes(body)


def _names(body: bytes) -> list[str]:
    """The names in a list of models, `{"data": [{"id": …}, …]}`."""
    try:
        listed = from_json(body)["data"]
        return [str(each["id"]) for each in listed]
    except (ValueError, KeyError, TypeError):
        raise EndpointUnreachable("the answer is no list of models") from None
