"""Server events of responses: how they change a session, pieces of answers first of all."""

from collections.abc import Callable
from dataclasses import replace

from runner.errors import EndpointBusy, ProtocolError, RunnerError
from runner.protocol.conversation_events import finished
from runner.protocol.effects import (
    AudioDelta,
    Effect,
    ResponseEnded,
    ResponseRepeats,
    ResponseStarted,
    TextDelta,
    make,
)
from runner.protocol.json_fields import BadField, JsonObject, count, optional_table, optional_text, table, tables, text
from runner.protocol.severity import error_for_failure, plain
from runner.protocol.state import SessionState


def _response_created(state: SessionState, event: JsonObject) -> list[Effect]:
    response = table(event, "response")
    response_id = text(response, "id")
    state.pending.begin(response_id, response)
    request_id = state.request_of(response_id)
    if request_id and state.conversation.first_unconfirmed(state.sent):
        # The question came before its request, and was not confirmed before its answer.
        state.conversation.confirms = False
    return [ResponseStarted(response_id, request_id)]


def _response_id(state: SessionState, event: JsonObject) -> str:
    """The response in the conversation that an event is a part of, nothing where it is out of band or not known."""
    response_id = optional_text(event, "response_id")
    return response_id if response_id in state.pending.active else ""


def _output_item_added(state: SessionState, event: JsonObject) -> list[Effect]:
    if response_id := _response_id(state, event):
        state.conversation.put(table(event, "item")).response_id = response_id
    return []


def _output_item_done(state: SessionState, event: JsonObject) -> list[Effect]:
    incoming, response_id = table(event, "item"), _response_id(state, event)
    if response_id:
        state.conversation.put(incoming).response_id = response_id
    elif state.conversation.get(text(incoming, "id")) is None:
        # What a response says out of band never becomes part of the conversation.
        return []
    return finished(state, incoming)


def _delta(state: SessionState, event: JsonObject) -> list[Effect]:
    try:
        item_id, response_id, delta = event["item_id"], event["response_id"], event["delta"]
        index = event["content_index"]
        pieces = state.conversation.by_id[item_id].parts[index]
        # What is known already has the right type; only what is new must be looked at closely.
        if response_id in state.pending.active and type(delta) is str and type(index) is int:
            pieces.append(delta)
            return [make(TextDelta, (response_id, item_id, delta))]
    except (KeyError, TypeError):
        pass
    return _first_delta(state, event)


def _first_delta(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id, response_id, delta = _piece(event)
    known = item_id in state.conversation.by_id
    if known or response_id in state.pending.active:
        item = state.conversation.append(item_id, count(event, "content_index"), delta)
        item.response_id = item.response_id if known else response_id
    return [TextDelta(response_id, item_id, delta)]


def _audio_delta(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id, response_id, audio = event.get("item_id"), event.get("response_id"), event.get("delta")
    if not type(item_id) is type(response_id) is type(audio) is str:
        item_id, response_id, audio = _piece(event)
    item = state.conversation.by_id.get(item_id)
    if item is None and response_id in state.pending.active:
        # Its announcement was lost.
        item = state.conversation.put({"id": item_id, "type": "message", "role": "assistant"})
        item.response_id = response_id
    if item is not None:
        item.audio_characters += len(audio)
    return [make(AudioDelta, (response_id, item_id, audio))]


def _piece(event: JsonObject) -> tuple[str, str, str]:
    """The fields of a delta, checked one by one."""
    return text(event, "item_id"), optional_text(event, "response_id"), text(event, "delta")


def _whole(key: str) -> Callable[[SessionState, JsonObject], list[Effect]]:
    def route(state: SessionState, event: JsonObject) -> list[Effect]:
        item_id = text(event, "item_id")
        if state.conversation.get(item_id) is not None:
            state.conversation.append(item_id, count(event, "content_index"), text(event, key), whole=True)
        return []

    return route


def _response_done(state: SessionState, event: JsonObject) -> list[Effect]:
    response = table(event, "response")
    response_id, status = text(response, "id"), text(response, "status")
    asked = state.pending.end(response_id, response)
    in_conversation = asked is not None and asked.kind == "response"
    effects: list[Effect] = []
    try:
        state.usage.add(optional_table(response, "usage"))
        for each in tables(response, "output") if in_conversation else ():
            state.conversation.put(each).response_id = response_id
            effects += finished(state, each)
    except BadField as bad:
        effects += state.malformed("response.done", str(bad))
    state.usage.responses += 1
    request_id = asked.first_id if asked else ""
    ending = _ending(response_id, status, response.get("status_details"), request_id)
    if in_conversation and request_id:
        ending = replace(ending, loss=_loss(state, ending))
    if asked and isinstance(ending.error, EndpointBusy) and asked.failures < state.max_response_retries:
        state.pending.repeat(asked)
        return [*effects, ResponseRepeats(response_id, ending.error, request_id)]
    return [*effects, ending]


_ASKED_FOR = frozenset({"client_cancelled", "turn_detected"})
"""Why a response is cancelled that somebody wanted to end."""


def _loss(state: SessionState, ending: ResponseEnded) -> RunnerError | None:
    """Why a response that was asked for and did not fail has brought nothing, or not all."""
    because = f" ({plain(ending.reason)})" if ending.reason else ""
    match ending.status:
        case "completed" | "incomplete" if state.conversation.is_void(ending.response_id):
            return ProtocolError(f"the response is empty{because}", code=ending.reason)
        case "cancelled" if ending.reason not in _ASKED_FOR and not state.configuration.detects_turns:
            if not state.sent.has("response.cancel"):
                return ProtocolError(f"the endpoint cancelled the response{because}", code=ending.reason)
    return None


def _ending(response_id: str, status: str, details: object, request_id: str) -> ResponseEnded:
    details = details if isinstance(details, dict) else {}
    reason, failure = details.get("reason"), details.get("error")
    reason = reason if isinstance(reason, str) else ""
    match status:
        case "completed" | "cancelled" | "incomplete":
            return ResponseEnded(response_id, status, reason, request_id=request_id)
        case _:
            error = error_for_failure("the response failed", failure)
            return ResponseEnded(response_id, "failed", reason, error, request_id)


RESPONSE_ROUTES = {
    "response.created": _response_created,
    "response.output_item.added": _output_item_added,
    "response.output_item.done": _output_item_done,
    "response.output_text.delta": _delta,
    "response.output_text.done": _whole("text"),
    "response.output_audio.delta": _audio_delta,
    "response.output_audio_transcript.delta": _delta,
    "response.output_audio_transcript.done": _whole("transcript"),
    "response.done": _response_done,
}
"""The events of responses, in the conversation and out of band."""
