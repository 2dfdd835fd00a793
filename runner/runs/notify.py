"""Messages to the service manager: systemd's notify protocol, which is one datagram a message.

The protocol is that of sd_notify(3); without `NOTIFY_SOCKET` in the environment nothing is sent.
"""

import os
import socket
import time

from runner.protocol.severity import plain
from runner.redaction import excerpt, redact

_SEND_TIMEOUT_S = 1.0
_LONGEST_STATUS = 200
"""The most letters of a status."""


def is_managed() -> bool:
    """Whether a service manager listens."""
    return bool(_address())


def watchdog_s() -> float:
    """After which silence the service manager takes this process for dead, in seconds; 0 where it does not watch it."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    try:
        return max(0.0, int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6)
    except ValueError:
        return 0.0


def alive() -> None:
    """Notify the service manager that this process lives."""
    _send("WATCHDOG=1", waits=False)


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


def reloading() -> None:
    """Notify the service manager that the profiles are being read again; `ready` says that they are."""
    now_us = time.monotonic_ns() // 1000
    _send(f"RELOADING=1\nMONOTONIC_USEC={now_us}")
    _send("STATUS=reloading")


def status(text: str) -> None:
    """Notify the service manager of the status, one line."""
    _send(f"STATUS={_line(text)}", waits=False)


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


def _address() -> str:
    """Where the service manager listens, as a socket has it; empty where it does not."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address.startswith("@"):
        return "\0" + address[1:]
    return address if address.startswith("/") else ""


def _send(message: str, *, waits: bool = True) -> None:
    """Send one message; one that is soon followed by the next waits for nothing where the manager is busy."""
    if not (address := _address()):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(_SEND_TIMEOUT_S if waits else 0.0)
            connection.sendto(message.encode(errors="replace"), address)
    except OSError:
        # A manager that does not listen is no reason to end a session.
        return
