"""What HTTP takes as a header, judged by `rt-run check` and by whoever sends it alike."""

import re

_OF_THE_HANDSHAKE = re.compile(
    r"connection|upgrade|host|content-length|transfer-encoding|sec-websocket-.*", re.IGNORECASE
)
_OF_THE_CONNECTION = re.compile(r"connection|upgrade|host|content-length|transfer-encoding|te|trailer", re.IGNORECASE)
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?|")


def header_problem(name: str, value: str) -> tuple[str, str]:
    """What is wrong with a header of the handshake, and a hint; two empty texts where nothing is."""
    if _OF_THE_HANDSHAKE.fullmatch(name):
        return "belongs to the WebSocket handshake", "remove it from `endpoint.headers`"
    return _value_problem(value)


def request_header_problem(name: str, value: str) -> tuple[str, str]:
    """What is wrong with a header of a tool's request, and a hint; two empty texts where nothing is."""
    if _OF_THE_CONNECTION.fullmatch(name):
        return "is written by rt-run itself", "remove it"
    return _value_problem(value)


def _value_problem(value: str) -> tuple[str, str]:
    if _VALUE.fullmatch(value):
        return "", ""
    return "holds characters that HTTP does not allow", f"it {_oddity(value)}"


def _oddity(value: str) -> str:
    if value != value.strip():
        return "has a space or line break at one of its ends"
    if value.isprintable():
        return "has letters that are not ASCII, such as accents; encode them"
    return "has a line break or another control character in it"
