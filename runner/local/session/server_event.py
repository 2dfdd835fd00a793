"""The events that the local endpoint sends."""

import json
from typing import Any

from runner.local.session.identifiers import new_id

ServerEvent = dict[str, Any]


def server_event(kind: str, **fields: Any) -> ServerEvent:
    """A server event of this type, with a fresh id."""
    return {"type": kind, "event_id": new_id("event"), **fields}


def text_of(event: ServerEvent) -> str:
    """The JSON text that the endpoint sends for an event."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))
