"""What the pump of a session hands to its readers."""

from collections.abc import Sequence
from typing import NamedTuple

from runner.protocol.effects import Effect
from runner.protocol.json_fields import JsonObject
from runner.protocol.json_text import dumps


class Update(NamedTuple):
    """One server event, or the end of the session, with what it means."""

    event: JsonObject | None
    """The event; None for effects that no event brought, at the end of the session."""
    effects: Sequence[Effect]
    at_s: float
    """When it came, in Unix seconds."""
    size_bytes: int
    """The size of the event on the wire, in bytes."""

    def line(self) -> str:
        """The event as one line of JSON; numbers that JSON lacks are null."""
        return dumps(self.event)
