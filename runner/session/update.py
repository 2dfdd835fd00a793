"""What the pump of a session hands to its readers."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from pydantic_core import PydanticSerializationError, to_json

from runner.protocol.effects import Effect
from runner.protocol.json_fields import JsonObject


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
        try:
            return to_json(self.event, inf_nan_mode="null").decode()
        except (UnicodeEncodeError, PydanticSerializationError):
            # Half a surrogate pair can only be written as an escape.
            return json.dumps(self.event, separators=(",", ":"))
