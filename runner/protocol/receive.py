"""Receiving a server event: how it changes the state, and what it means.

What an event means is taken in: the functions of the tables raise `BadField` only where that cannot be read, and before
they change anything. A side field that cannot be read counts as absent and is reported once (`side_fields`).
"""

from runner.errors import ProtocolError
from runner.protocol.effects import Effect, ResponseEnded
from runner.protocol.event_table import known_types, routes_of
from runner.protocol.json_fields import BadField, JsonObject
from runner.protocol.state import SessionState


def receive(state: SessionState, event: JsonObject) -> list[Effect]:
    """Take in one server event and say what it means; never raises, whatever the event holds."""
    kind = event.get("type")
    if type(kind) is not str:
        return state.reported_once.malformed("", "`type` is not a string")
    route = routes_of(state.kind).get(kind)
    if route is None:
        return [] if kind in known_types(state.kind) else state.reported_once.unknown(kind)
    try:
        return route(state, event)
    except BadField as bad:
        effects = [*state.side.report(kind), *state.reported_once.malformed(kind, str(bad))]
        if kind == "response.done" and (state.busy or state.pending.out_of_band):
            state.pending.abandon("")
            problem = ProtocolError(f"the response ended in an event that cannot be read: {bad}")
            effects.append(ResponseEnded("", "failed", error=problem))
        return effects
