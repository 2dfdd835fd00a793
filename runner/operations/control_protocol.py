"""The protocol of the control socket: one JSON object a line, in both directions; docs/control.md describes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

PROTOCOL: Final = 1
"""The version of the protocol; it grows where a client of the last version would be misled."""
MAX_LINE_BYTES: Final = 1024 * 1024
"""The longest request, in bytes."""
MAX_CLIENTS: Final = 32
"""So many clients are served at a time."""
MAX_REQUESTS: Final = 16
"""So many requests of one client may wait for the session at a time; the next line is read when one is done."""
MAX_BAD_LINES: Final = 10
"""After so many lines in a row that are no requests, a client is given up."""
MAX_UNREAD_BYTES: Final = 4 * 1024 * 1024
"""How far a client that follows a session may fall behind, in bytes of events."""
WRITE_TIMEOUT_S: Final = 10.0
"""How long a client may take nothing of what is written to it, in seconds."""

ErrorCode = Literal["bad-request", "no-session", "refused", "too-many"]
"""What became of a request: it is none, it names no session or several, the session or the endpoint refuses it, or
there are too many clients."""


class RequestRefused(Exception):
    """A request that is not carried out.

    Args:
        code: Why, for programs.
        message: Why, for people.
        hint: What to do about it.
    """

    def __init__(self, code: ErrorCode, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.hint = hint


def line_of(message: Mapping[str, Any]) -> bytes:
    """A message as a line; what JSON cannot hold is written as text."""
    return json.dumps(message, ensure_ascii=True, separators=(",", ":"), default=str).encode() + b"\n"
