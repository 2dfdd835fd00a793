"""The events that the local endpoint sends."""

import json
from typing import Any

from runner.api.client_events import ClientEventBase
from runner.local.session.identifiers import new_id

ServerEvent = dict[str, Any]


def server_event(kind: str, **fields: Any) -> ServerEvent:
    """A server event of this type, with a fresh id."""
    return {"type": kind, "event_id": new_id("event"), **fields}


def answer_to(client_event: ClientEventBase, kind: str, **fields: Any) -> ServerEvent:
    """The event of a Live session that answers a client event, by its id where it has one."""
    answered = {"client_event_id": client_event.event_id} if client_event.event_id else {}
    return server_event(kind, **answered, **fields)


def live_error(
    *, kind: str, code: str, message: str, param: str | None = None, event_id: str | None = None
) -> ServerEvent:
    """The `error` event of a Live session; `event_id` is that of the client event that it answers."""
    error = {"type": kind, "code": code, "message": message, "param": param, "client_event_id": event_id}
    return server_event("error", error={name: value for name, value in error.items() if value is not None})


def text_of(event: ServerEvent) -> str:
    """The JSON text that the endpoint sends for an event."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))
