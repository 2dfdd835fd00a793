"""Receiving a server event: how it changes the state, and what it means."""

from runner.errors import ProtocolError
from runner.protocol.effects import Effect, ResponseEnded
from runner.protocol.event_table import known_types, routes_of
from runner.protocol.json_fields import BadField, JsonObject
from runner.protocol.state import SessionState


def receive(state: SessionState, event: JsonObject) -> list[Effect]:
    """Take in one server event and say what it means; never raises, whatever the event holds."""
    kind = event.get("type")
    if type(kind) is not str:
        return state.malformed("", "`type` is not a string")
    route = routes_of(state.kind).get(kind)
    if route is None:
        return [] if kind in known_types(state.kind) else state.reported_once.unknown(kind)
    try:
        return route(state, event)
    except BadField as bad:
        effects = state.malformed(kind, str(bad))
        if kind == "response.done" and (state.busy or state.pending.out_of_band):
            effects.append(_abandon(state, event, f"the response ended in an event that cannot be read: {bad}"))
        elif kind == "error" and (asked := state.refuse(*state.cause(event.get("error")))):
            problem = ProtocolError(f"the endpoint answered with an error that cannot be read: {bad}")
            effects.append(ResponseEnded("", "refused", error=problem, request_id=asked.first_id))
        return effects


def _abandon(state: SessionState, event: JsonObject, problem: str) -> ResponseEnded:
    response = event.get("response")
    response_id = response.get("id") if isinstance(response, dict) else None
    response_id = response_id if isinstance(response_id, str) else ""
    request_id = state.request_of(response_id)
    state.pending.abandon(response_id)
    return ResponseEnded(response_id, "failed", error=ProtocolError(problem), request_id=request_id)
