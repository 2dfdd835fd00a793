"""A service manager that hears what a process notifies it of, on a plain datagram socket."""

import re
import socket
import time

WAIT_S = 150.0


class ServiceManager:
    """The receiving end of the notify protocol.

    Args:
        address: Where to listen: a path, or `@` and an abstract name.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.messages: list[list[str]] = []

    def until(self, assignment: str, *, within_s: float = WAIT_S) -> bool:
        """Receive until a message holds this assignment; says whether one did in time."""
        deadline_s = time.monotonic() + within_s
        while not self.heard(assignment):
            self.socket.settimeout(max(0.01, deadline_s - time.monotonic()))
            try:
                self.messages.append(self.socket.recv(65536).decode().splitlines())
            except TimeoutError:
                return False
        return True

    def heard(self, assignment: str) -> bool:
        """Whether a message so far held this assignment."""
        return any(assignment in message for message in self.messages)

    def until_like(self, pattern: str, is_news: bool = False) -> str:
        """Receive until a line matches the pattern; returns that line, or nothing where none came in time.

        Args:
            pattern: A regular expression for a whole line.
            is_news: Whether only lines count that have not been received yet.
        """
        deadline_s = time.monotonic() + WAIT_S
        seen = len(self.messages) if is_news else 0
        while True:
            for line in (line for message in self.messages[seen:] for line in message):
                if re.fullmatch(pattern, line):
                    return line
            seen = len(self.messages)
            self.socket.settimeout(max(0.01, deadline_s - time.monotonic()))
            try:
                self.messages.append(self.socket.recv(65536).decode().splitlines())
            except TimeoutError:
                return ""

    def drained(self) -> list[str]:
        """The lines that wait to be received."""
        count = len(self.messages)
        self.socket.setblocking(False)
        while True:
            try:
                self.messages.append(self.socket.recv(65536).decode().splitlines())
            except BlockingIOError:
                return [line for message in self.messages[count:] for line in message]
