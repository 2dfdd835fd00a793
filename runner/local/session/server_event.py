"""The events that the local endpoint sends."""

from typing import Any

from runner.local.session.identifiers import new_id

ServerEvent = dict[str, Any]


def server_event(kind: str, **fields: Any) -> ServerEvent:
    """A server event of this type, with a fresh id."""
    return {"type": kind, "event_id": new_id("event"), **fields}
