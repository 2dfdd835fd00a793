"""Messages to the service manager: systemd's notify protocol, which is one datagram a message.

The protocol is that of sd_notify(3); without `NOTIFY_SOCKET` in the environment nothing is sent.
"""

import os
import socket

from runner.protocol.severity import plain
from runner.redaction import excerpt, redact

_SEND_TIMEOUT_S = 1.0
_LONGEST_STATUS = 200
"""The most letters of a status."""


def starting(status: str, *, within_s: float) -> None:
    """Notify the service manager that the session is being opened.

    Args:
        status: What is being done, in one line.
        within_s: How long it may take, in seconds; the endpoint's own bounds are shorter.
    """
    _send(f"STATUS={_line(status)}\nEXTEND_TIMEOUT_USEC={int(within_s * 1e6)}")


def ready(status: str) -> None:
    """Notify the service manager that the session is configured."""
    # By itself: a datagram that cannot be sent must not keep the unit from being ready.
    _send("READY=1")
    _send(f"STATUS={_line(status)}")


def status(text: str) -> None:
    """Notify the service manager of the status, one line."""
    _send(f"STATUS={_line(text)}")


def stopping(text: str, *, within_s: float) -> None:
    """Notify the service manager that the process is about to end.

    Args:
        text: Why, in one line.
        within_s: How long it may take, in seconds.
    """
    _send(f"STOPPING=1\nSTATUS={_line(text)}\nEXTEND_TIMEOUT_USEC={int(within_s * 1e6)}")


def _line(text: str) -> str:
    """The text as one short line without secrets: with a line break in it, an endpoint could say more than a status."""
    return excerpt(plain(redact(text)), _LONGEST_STATUS)


def _send(message: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(_SEND_TIMEOUT_S)
            connection.sendto(message.encode(errors="replace"), address)
    except OSError:
        # A manager that does not listen is no reason to end a session.
        return
