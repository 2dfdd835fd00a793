"""The hosts that a tool may speak to: those that the profile names, and no others behind their names."""

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

import httpcore

from runner.connect.network import TcpBackend
from runner.settings.hosts import is_local_name


class UnnamedAddress(Exception):
    """A name leads to an address that only its own name may lead to."""


class NamedHosts(TcpBackend):
    """Opens connections to what the profile names: a name of another host does not lead to this machine or its link.

    Args:
        is_proxied: Whether the connection is to a proxy, which resolves the name itself.
    """

    def __init__(self, *, is_proxied: bool) -> None:
        super().__init__()
        self._is_proxied = is_proxied

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Open one connection, and use it only if its address is one that the host's name may lead to."""
        stream = await super().connect_tcp(host, port, timeout, local_address, socket_options)
        address = stream.get_extra_info("server_addr")
        if not self._is_proxied and not _is_named(host) and (address is None or _is_near(str(address[0]))):
            msg = (
                f"the name leads to {address[0] if address else 'an unknown address'}, which the profile does not name"
            )
            raise UnnamedAddress(msg)
        return stream


def _is_named(host: str) -> bool:
    """Whether a host is written as its address, or means this machine by its name."""
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return is_local_name(host)
    return True


def _is_near(address: str) -> bool:
    """Whether an address is of this machine or of its link, where services trust whoever can reach them."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return found.is_loopback or found.is_link_local or found.is_unspecified
