"""Server events by type: the table that says which of them change a session, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from runner.errors import RunnerError
from runner.protocol import severity
from runner.protocol.conversation import Item
from runner.protocol.effects import AudioDelta, Effect, ResponseEnded, ResponseStarted, TextDelta, TurnEnded, make
from runner.protocol.fields import BadField, JsonObject, count, optional_table, optional_text, table, tables, text

if TYPE_CHECKING:
    from runner.protocol.state import SessionState

Route = Callable[["SessionState", JsonObject], list[Effect]]


def _item_placed(state: SessionState, event: JsonObject) -> list[Effect]:
    previous = optional_text(event, "previous_item_id") or None
    item = state.conversation.put(table(event, "item"), previous)
    return _told(item) if item.role != "assistant" else []


def _item_done(state: SessionState, event: JsonObject) -> list[Effect]:
    return _told(state.conversation.put(table(event, "item")))


def _output_item_done(state: SessionState, event: JsonObject) -> list[Effect]:
    incoming = table(event, "item")
    # What a response says out of band never becomes part of the conversation.
    if _apart(state, event) and state.conversation.get(text(incoming, "id")) is None:
        return []
    return _told(state.conversation.put(incoming))


def _item_deleted(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id = text(event, "item_id")
    state.conversation.remove(item_id)
    state.promises.transcribing.discard(item_id)
    return []


def _speech_started(state: SessionState, _event: JsonObject) -> list[Effect]:
    if state.detects_turns:
        state.promises.turn = "speaking"
    return []


def _speech_stopped(state: SessionState, _event: JsonObject) -> list[Effect]:
    # Where nobody answers or writes down what was said, nothing more is to come of it.
    followed = state.answers_turns or (state.detects_turns and state.hearing.get("transcription"))
    state.promises.turn = "stopped" if followed else "none"
    return []


def _cleared(state: SessionState, _event: JsonObject) -> list[Effect]:
    state.promises.drop_turn()
    return []


def _committed(state: SessionState, event: JsonObject) -> list[Effect]:
    state.promises.commit(answered=state.answers_turns)
    if state.hearing.get("transcription"):
        state.promises.transcribing.add(optional_text(event, "item_id"))
    return []


def _unheard(state: SessionState, event: JsonObject) -> list[Effect]:
    _transcribed(state, text(event, "item_id"))
    return []


def _transcribed(state: SessionState, item_id: str) -> None:
    state.promises.transcribed(item_id)
    if not state.answers_turns and state.promises.turn == "stopped":
        state.promises.turn = "none"


def _heard(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id = text(event, "item_id")
    _transcribed(state, item_id)
    transcript = text(event, "transcript")
    state.conversation.append(item_id, count(event, "content_index"), transcript, whole=True)
    item = state.conversation.get(item_id)
    return _told(item) if item else []


def _told(item: Item) -> list[Effect]:
    if item.told or item.type != "message" or not item.text:
        return []
    item.told = True
    if item.status == "in_progress":
        item.status = "completed"
    return [TurnEnded(item.role, item.text, item.id, item.status)]


def _response_created(state: SessionState, event: JsonObject) -> list[Effect]:
    response = table(event, "response")
    response_id = text(response, "id")
    state.promises.begin(response_id, response)
    return [ResponseStarted(response_id)]


def _apart(state: SessionState, event: JsonObject) -> bool:
    return optional_text(event, "response_id") not in state.promises.active


def _delta(state: SessionState, event: JsonObject) -> list[Effect]:
    try:
        item_id, response_id, delta = event["item_id"], event["response_id"], event["delta"]
        index = event["content_index"]
        pieces = state.conversation.by_id[item_id].parts[index]
        # What is known already has the right type; only what is new must be looked at closely.
        if response_id in state.promises.active and type(delta) is str and type(index) is int:
            pieces.append(delta)
            return [make(TextDelta, (response_id, item_id, delta))]
    except (KeyError, TypeError):
        pass
    return _first_delta(state, event)


def _first_delta(state: SessionState, event: JsonObject) -> list[Effect]:
    item_id, response_id, delta = _piece(event)
    if response_id in state.promises.active or item_id in state.conversation.by_id:
        state.conversation.append(item_id, count(event, "content_index"), delta)
    return [TextDelta(response_id, item_id, delta)]


def _audio_delta(_state: SessionState, event: JsonObject) -> list[Effect]:
    item_id, response_id, audio = event.get("item_id"), event.get("response_id"), event.get("delta")
    if not type(item_id) is type(response_id) is type(audio) is str:
        item_id, response_id, audio = _piece(event)
    return [make(AudioDelta, (response_id, item_id, audio))]


def _piece(event: JsonObject) -> tuple[str, str, str]:
    """The fields of a delta, checked one by one."""
    return text(event, "item_id"), optional_text(event, "response_id"), text(event, "delta")


def _whole(key: str) -> Route:
    def route(state: SessionState, event: JsonObject) -> list[Effect]:
        item_id = text(event, "item_id")
        if state.conversation.get(item_id) is not None:
            state.conversation.append(item_id, count(event, "content_index"), text(event, key), whole=True)
        return []

    return route


def _response_done(state: SessionState, event: JsonObject) -> list[Effect]:
    response = table(event, "response")
    response_id, status = text(response, "id"), text(response, "status")
    in_conversation = state.promises.end(response_id, response)
    effects: list[Effect] = []
    try:
        state.usage.add(optional_table(response, "usage"))
        for each in tables(response, "output") if in_conversation else ():
            effects += _told(state.conversation.put(each))
    except BadField as bad:
        effects += state.malformed("response.done", str(bad))
    state.usage.responses += 1
    effects.append(_ending(response_id, status, response.get("status_details")))
    return effects


def _ending(response_id: str, status: str, details: object) -> ResponseEnded:
    details = details if isinstance(details, dict) else {}
    reason, failure = details.get("reason"), details.get("error")
    reason = reason if isinstance(reason, str) else ""
    match status:
        case "completed" | "cancelled" | "incomplete":
            return ResponseEnded(response_id, status, reason)
        case _:
            return ResponseEnded(response_id, "failed", reason, _failure(failure if isinstance(failure, dict) else {}))


def _failure(details: JsonObject) -> RunnerError:
    code, kind, message = (
        each if isinstance(each := details.get(key), str) else "" for key in ("code", "type", "message")
    )
    problem = f"the response failed: {severity.plain(message) or code or kind or 'the endpoint gives no reason'}"
    return severity.error_for_code(code, problem, kind=kind)


def _rate_limits(state: SessionState, event: JsonObject) -> list[Effect]:
    state.rate_limits = tables(event, "rate_limits")
    return []


ROUTES: dict[str, Route] = {
    "conversation.item.created": _item_placed,
    "conversation.item.added": _item_placed,
    "conversation.item.done": _item_done,
    "conversation.item.deleted": _item_deleted,
    "conversation.item.input_audio_transcription.completed": _heard,
    "conversation.item.input_audio_transcription.failed": _unheard,
    "input_audio_buffer.cleared": _cleared,
    "input_audio_buffer.committed": _committed,
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
    "response.created": _response_created,
    "response.output_item.done": _output_item_done,
    "response.output_text.delta": _delta,
    "response.output_text.done": _whole("text"),
    "response.output_audio.delta": _audio_delta,
    "response.output_audio_transcript.delta": _delta,
    "response.output_audio_transcript.done": _whole("transcript"),
    "response.done": _response_done,
    "rate_limits.updated": _rate_limits,
}
"""The events that change what is known of the session."""

KNOWN_TYPES = frozenset(ROUTES) | {
    "conversation.created",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.segment",
    "conversation.item.retrieved",
    "conversation.item.truncated",
    "error",
    "input_audio_buffer.dtmf_event_received",
    "input_audio_buffer.timeout_triggered",
    "mcp_list_tools.completed",
    "mcp_list_tools.failed",
    "mcp_list_tools.in_progress",
    "output_audio_buffer.cleared",
    "output_audio_buffer.started",
    "output_audio_buffer.stopped",
    "response.content_part.added",
    "response.content_part.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.mcp_call.completed",
    "response.mcp_call.failed",
    "response.mcp_call.in_progress",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
    "response.output_audio.done",
    "response.output_item.added",
    "session.created",
    "session.updated",
}
"""All 46 server events of the current protocol; what is not among them is passed on and named once in the log."""
