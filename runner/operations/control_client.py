"""The client's side of a control socket, without an event loop, and the sockets that there are."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from runner.errors import CommandRefused, RunnerError, SessionAbsent, UsageError, reason_of
from runner.operations.control_protocol import PROTOCOL, line_of
from runner.operations.control_socket import is_stale, socket_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

GREETING_S: Final = 3.0
"""How long a process may take to greet a client, in seconds."""
_LEAST_S: Final = 0.2
_ERRORS: Final[dict[str, type[RunnerError]]] = {"bad-request": UsageError, "no-session": SessionAbsent}


class ControlClient:
    """A connection to the control socket of a process, for one request at a time unless `send` and `messages` are used.

    Args:
        path: The socket.
        within_s: How long the process may take to greet, in seconds.

    Raises:
        SessionAbsent: Nobody serves it, or who does speaks another protocol.
    """

    def __init__(self, path: Path, *, within_s: float = GREETING_S) -> None:
        self.path = path
        self._ids = count(1)
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.settimeout(within_s)
        try:
            self._connection.connect(os.fspath(path))
            self._lines = self._connection.makefile("rb")
            self.greeting = self._greeted()
        except OSError as error:
            self._connection.close()
            msg = f"the control socket {path} cannot be reached: {reason_of(error)}"
            raise SessionAbsent(msg, hint="`rt-run ctl` lists what runs") from None
        self._connection.settimeout(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a thread that reads it gets its end."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._connection.close()

    def send(self, command: str, **fields: Any) -> int:
        """Send a request; returns its id, which everything that answers it has."""
        number = next(self._ids)
        try:
            self._connection.sendall(line_of({"id": number, "command": command, **fields}))
        except OSError:
            raise self._lost() from None
        return number

    def messages(self) -> Iterator[dict[str, Any]]:
        """Everything that comes from now on, until the process closes the connection."""
        try:
            for line in self._lines:
                yield json.loads(line)
        except (OSError, ValueError):
            return

    def request(self, command: str, *, part: Callable[[dict[str, Any]], None] | None = None, **fields: Any) -> Any:
        """Send a request and wait for its result.

        Args:
            command: The command.
            part: Called with each part of what the request follows.
            fields: What the request says besides.

        Raises:
            RunnerError: It is refused, or the process closes the connection.
        """
        number = self.send(command, **fields)
        for message in self.messages():
            if message.get("id") not in {number, None}:
                continue
            if "ok" in message:
                return result_of(message)
            if part:
                part(message)
        raise self._lost()

    def _greeted(self) -> dict[str, Any]:
        try:
            greeting = json.loads(self._lines.readline())
        except ValueError:
            greeting = None
        if not isinstance(greeting, dict) or greeting.get("protocol") != PROTOCOL:
            self._connection.close()
            spoken = greeting.get("protocol") if isinstance(greeting, dict) else None
            msg = f"{self.path} speaks protocol {spoken}, and this rt-run speaks {PROTOCOL}"
            raise SessionAbsent(msg, hint="use the rt-run that runs the session")
        return greeting

    def _lost(self) -> SessionAbsent:
        return SessionAbsent("the session's process has closed the connection", hint="`rt-run ctl` lists what runs")


def result_of(message: Mapping[str, Any]) -> Any:
    """What a request has come to; raises the error that it was refused with."""
    if message["ok"]:
        return message.get("result", {})
    error = message.get("error", {})
    kind = _ERRORS.get(error.get("code", ""), CommandRefused)
    raise kind(str(error.get("message", "refused")), hint=str(error.get("hint", "")))


class FoundSocket(NamedTuple):
    """A control socket in one of the folders that are searched."""

    path: Path
    client: ControlClient | None
    """A connection to it, None where nobody answers."""


def found_sockets(environ: Mapping[str, str], *, within_s: float = GREETING_S) -> list[FoundSocket]:
    """The control sockets that somebody serves, in the folders where processes have them; some may not answer.

    Args:
        environ: The environment.
        within_s: How long all of them together may take to greet, in seconds, or little longer.
    """
    found: list[FoundSocket] = []
    until_s = monotonic() + within_s
    for path in (each for each in socket_paths(environ) if not is_stale(each)):
        try:
            client = ControlClient(path, within_s=max(_LEAST_S, until_s - monotonic()))
        except SessionAbsent:
            found.append(FoundSocket(path, None))
        else:
            found.append(FoundSocket(path, client))
    return found
