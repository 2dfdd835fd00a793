"""What keeps a record of a session, as its connections know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.protocol.json_fields import JsonObject


class Recorder(Protocol):
    """Keeps a record of what a session sends and receives; it must not wait."""

    def received(self, event: JsonObject, *, epoch: int, at_s: float, size_bytes: int) -> None:
        """A server event has come."""

    def sent(self, event: JsonObject, *, epoch: int) -> None:
        """A client event goes out."""

    def note(self, event: JsonObject, *, epoch: int) -> None:
        """Something has happened to a connection."""


def closed_note(error: RunnerError | None = None, *, reason: str = "") -> JsonObject:
    """The note of a connection's end: by an error of the endpoint's, or without one by us."""
    if error is None:
        return {"type": "connection.closed", "by": "client", "code": 1000, "reason": reason}
    return {"type": "connection.closed", "by": "endpoint", "code": error.status, "reason": error.message}
