"""Lines of the log as entries of systemd's journal, each with its priority and with its keys as fields.

The protocol is <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>: one datagram an entry, or for one that is too large a
sealed file in memory. A line that went through the stream of standard error instead would have no priority, and could
be torn by the session's text.
"""

import errno
import fcntl
import json
import os
import re
import socket
from array import array
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final

ADDRESS: Final = "/run/systemd/journal/socket"

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_UNSAFE = re.compile(r"[^A-Z0-9_]+")
_LONGEST_NAME = 64
_NOT_IN_MESSAGE = frozenset({"timestamp", "level", "profile", "run_id", "session_id", "event", "exception"})
"""Keys that are fields only: the journal shows what they say, or they are the same in all lines of a unit."""
_BARE = re.compile(r"[^\s\"'=]+")
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_SEND_BUFFER_BYTES = 8 * 1024 * 1024


def is_journal(descriptor: int) -> bool:
    """Whether what is written to a descriptor goes to the journal, as `JOURNAL_STREAM` of systemd.exec(5) says."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}" and Path(ADDRESS).is_socket()


class JournaldTarget:
    """The place where entries end up: the journal of this machine.

    Args:
        address: Its socket, `ADDRESS` on every machine that has one.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def write(self, lines: Sequence[bytes]) -> None:
        """Write these entries, waiting for the journal where it is busy; raises `OSError` once all have been tried."""
        failure: OSError | None = None
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            for entry in lines:
                try:
                    self._send(connection, entry)
                except OSError as error:
                    failure = error
        if failure is not None:
            raise failure

    def hurry(self) -> None:
        """Wait for nothing but the journal, as ever."""

    def _send(self, connection: socket.socket, entry: bytes) -> None:
        try:
            connection.sendto(entry, self._address)
        except OSError as error:
            if error.errno not in {errno.EMSGSIZE, errno.ENOBUFS}:
                raise
            self._send_file(connection, entry)

    def _send_file(self, connection: socket.socket, entry: bytes) -> None:
        descriptor = os.memfd_create("rt-run-log", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            rest = memoryview(entry)
            while rest:
                rest = rest[file.write(rest) or 0 :]
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [descriptor]).tobytes())
            connection.sendmsg([], [rights], 0, self._address)


class EntryLogger:
    """A logger for structlog whose lines are entries already.

    Args:
        put: Takes an entry without waiting.
    """

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self._put = put

    def msg(self, entry: bytes) -> None:
        """Take an entry."""
        self._put(entry)

    log = debug = info = warning = error = critical = exception = msg


def rendered(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> bytes:
    """A line as an entry whose message people can read."""
    return _entry(line, _message(line))


def rendered_json(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> bytes:
    """A line as an entry whose message is the line in JSON."""
    return _entry(line, _json(line))


def message_entry(text: str) -> bytes:
    """A text for people as an entry; what is told so is a failure."""
    return _entry({"level": "error"}, text.rstrip("\n"))


def _entry(line: Mapping[str, Any], message: str) -> bytes:
    fields = {
        "MESSAGE": message,
        "PRIORITY": str(_PRIORITIES.get(line.get("level", ""), _PRIORITIES["info"])),
        "SYSLOG_IDENTIFIER": "rt-run",
    }
    data = b"".join(_field(name, value) for name, value in fields.items())
    return data + b"".join(_field(_name(key), _text(value)) for key, value in line.items() if key != "level")


def _field(name: str, value: str) -> bytes:
    data = value.encode(errors="backslashreplace")
    if b"\n" in data:
        return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
    return name.encode() + b"=" + data + b"\n"


def _name(key: str) -> str:
    return f"RT_RUN_{_UNSAFE.sub('_', key.upper())}"[:_LONGEST_NAME]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _message(line: Mapping[str, Any]) -> str:
    """The event with its keys, and below it where an exception came from."""
    words = [str(line.get("event", ""))]
    for key, value in line.items():
        if key not in _NOT_IN_MESSAGE:
            text = _text(value)
            words.append(f"{key}={text if not isinstance(value, str) or _BARE.fullmatch(text) else _json(text)}")
    trace = line.get("exception")
    return " ".join(words) + (f"\n{trace}" if trace else "")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
