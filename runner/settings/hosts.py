"""Which hosts are this machine."""

import unicodedata
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, ip_address

_LOOPBACK_V4 = IPv4Network("127.0.0.0/8")
_LOOPBACK_V6 = IPv6Address("::1")


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether nothing that is sent to this host leaves the machine: `localhost`, `*.localhost`, 127.0.0.0/8, `::1`.

    Args:
        host: A name or an address, with or without the brackets that a URL puts around it.
    """
    host = host.removeprefix("[").removesuffix("]").lower()
    try:
        address = ip_address(host)
    except ValueError:
        return is_local_name(host)
    return address in _LOOPBACK_V4 if address.version == 4 else address == _LOOPBACK_V6


def is_spelled_out(host: str) -> bool:
    """Whether the letters that a host's name stands for may be in one (RFC 5892): no emoji, for one.

    Args:
        host: A name as the name service has it, with `xn--` before what is encoded.
    """
    for label in host.split("."):
        if label.startswith("xn--"):
            try:
                letters = label[4:].encode("ascii").decode("punycode")
            except UnicodeError:
                return False
            if any(unicodedata.category(each)[0] not in "LMN" and each != "-" for each in letters):
                return False
    return True


def is_local_name(host: str) -> bool:
    """Whether the name means this machine whatever a name server says (RFC 6761)."""
    name = host.lower()
    return name == "localhost" or (name.endswith(".localhost") and not name.startswith("."))
