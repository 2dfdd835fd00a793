"""The models that an endpoint lists for a key."""

import httpx
from pydantic_core import from_json

from runner.connect.exchange import exchange
from runner.connect.handshake import Address
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
    answer = await exchange(address, network, timeout_s=network.connect_timeout_s, most_bytes=MAX_LIST_BYTES)
    if answer.status != httpx.codes.OK:
        raise EndpointUnreachable(f"HTTP {answer.status}", status=answer.status)
    return _names(answer.body)


def _names(body: bytes) -> list[str]:
    """The names in a list of models, `{"data": [{"id": …}, …]}`."""
    try:
        listed = from_json(body)["data"]
        return [str(each["id"]) for each in listed]
    except (ValueError, KeyError, TypeError):
        raise EndpointUnreachable("the answer is no list of models") from None
