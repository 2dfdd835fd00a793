"""What is wrong with the address of a proxy, in words that hold nothing of it."""

from typing import Final
from urllib.parse import quote

_SCHEMES: Final = ("http://", "https://", "socks5://", "socks5h://")


def proxy_problem(address: str) -> str:
    """What is wrong with this address, to be put after `the address of the proxy`; empty where nothing is."""
    if address[:1] in {'"', "'"} or address[-1:] in {'"', "'"}:
        return "stands in quotes"
    if not address.isprintable() or " " in address:
        return "holds a space or a control character"
    if not address.lower().startswith(_SCHEMES):
        return "must begin with http://, https://, socks5:// or socks5h://"
    rest = address.partition("://")[2]
    end = min((rest.find(each) for each in "/?#" if each in rest), default=len(rest))
    if "@" in rest[end:] and "@" not in rest[:end]:
        return f"holds a {rest[end]} in its user name or password, which is written {quote(rest[end], safe='')} there"
    return "" if rest[:end].rpartition("@")[2].partition(":")[0] else "names no host"
