"""Server events of what a Live session delegates to a Responses model, and the outputs of the functions it calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runner.protocol.effects import Effect, ErrorReported
from runner.protocol.json_fields import BadField, JsonObject, table, text
from runner.protocol.severity import error_for_failure

if TYPE_CHECKING:
    from runner.protocol.delegations import Delegated
    from runner.protocol.state import SessionState

_CALLS: Final = frozenset({"function_call", "mcp_approval_request"})
_LONGEST_ID: Final = 32
"""The longest id under which a realtime session takes an item, in characters; such a session may follow."""
_ENDS: Final = frozenset({"response.completed", "response.failed", "response.incomplete"})


def take_response_event(state: SessionState, event: JsonObject) -> list[Effect]:
    """Take in an event of the Responses model's stream; raises `BadField` where it cannot be read."""
    nested = table(event, "event")
    kind, delegation_id = text(nested, "type"), state.side.identifier(event, "delegation_id")
    tasks = state.live.delegations
    if kind == "response.created":
        task = tasks.task(delegation_id)
        task.response_id = state.side.identifier(table(nested, "response"), "id")
        task.request_id = tasks.continued.pop(0) if tasks.continued else ""
    elif kind == "response.output_item.done":
        _call(state, tasks.task(delegation_id), table(nested, "item"))
    elif kind in _ENDS:
        return _end(state, delegation_id, kind, table(nested, "response"))
    return []


def answered_call(state: SessionState, output: JsonObject) -> list[Effect]:
    """The client has given the output of a call, which no event confirms."""
    item = state.conversation.put({**output, "id": state.live.new_id(), "status": "completed"})
    item.is_announced = True
    return [state.rounds.answered(item, state.conversation.call_of(item))]


def _call(state: SessionState, task: Delegated, item: JsonObject) -> None:
    if item.get("type") not in _CALLS:
        return
    given = state.side.identifier(item, "id")
    named = item if 0 < len(given) <= _LONGEST_ID else {**item, "id": state.side.identifier(item, "call_id") or given}
    if not named["id"]:
        raise BadField("id", "a string")
    call = state.conversation.put({**named, "status": "completed"})
    call.response_id = task.response_id


def _end(state: SessionState, delegation_id: str, kind: str, response: JsonObject) -> list[Effect]:
    task = state.live.delegations.task(delegation_id)
    usage = state.side.table(response, "usage")
    state.usage.add({**usage, "input_token_details": usage.get("input_tokens_details")}, state.side)
    made = state.conversation.of_responses({task.response_id}) if task.response_id else []
    is_over = kind == "response.completed"
    effects, goes_on = state.rounds.call(task.response_id, task.request_id, made, is_over=is_over, is_delegated=True)
    if not goes_on:
        state.live.delegations.open.pop(delegation_id, None)
        state.live.has_unsaid_result = True
    if kind == "response.failed":
        error = error_for_failure("what was delegated has failed", response.get("error"))
        effects = [*effects, ErrorReported("recoverable", error)]
    return effects
