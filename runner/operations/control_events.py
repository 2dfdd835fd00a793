"""The client events that requests of the control socket ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import ValidationError

from runner.operations.control_protocol import RequestRefused
from runner.operations.control_requests import (
    AddItemRequest,
    EventRequest,
    PlainRequest,
    RemoveItemRequest,
    RespondRequest,
    SayRequest,
    TruncateItemRequest,
    UpdateRequest,
    problems_of,
)
from runner.protocol.typed_text import THINKING, opening_event, typed_event
from runner.session.client_event import user_message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.api.session_types import SessionType
    from runner.operations.control_requests import AnyRequest
    from runner.protocol.json_fields import JsonObject


class AskedEvents(NamedTuple):
    """Client events to be sent right after each other."""

    events: Sequence[JsonObject]
    in_turn: bool = False
    """Whether they ask for a response in the conversation, which waits for those asked for before."""


def asked_events(request: AnyRequest, kind: SessionType) -> AskedEvents | None:
    """The client events that a request asks for, None where it asks for something else.

    Args:
        request: The request.
        kind: What kind of session it is for.

    Raises:
        RequestRefused: The API knows no such thing.
    """
    if isinstance(request, UpdateRequest):
        return AskedEvents([{"type": "session.update", "session": _checked(request.changes, kind)}])
    if kind == "live" and isinstance(request, SayRequest):
        typed = typed_event(request.text)
        return AskedEvents([typed if request.respond else {**typed, "type": THINKING}], in_turn=request.respond)
    if kind == "live" and isinstance(request, RespondRequest):
        return AskedEvents([_live_opening(request.response)], in_turn=True)
    make = _MAKERS.get(type(request))
    return make(request) if make else None


def _live_opening(response: JsonObject) -> JsonObject:
    """The client event by which a Live session speaks first; its own `response.create` is for the model behind it."""
    match response:
        case {"instructions": str() as instructions, **others} if instructions and not others:
            return opening_event(instructions, "")
        case _:
            hint = "it answers by itself; `respond --instructions TEXT` has it speak first, and `say` asks it something"
            raise RequestRefused("refused", "a Live session is asked for no response but by `instructions`", hint)


def _say(request: SayRequest) -> AskedEvents:
    return _with_response({"type": "conversation.item.create", "item": user_message(request.text)}, request.respond)


def _add_item(request: AddItemRequest) -> AskedEvents:
    place = {} if request.previous_item_id is None else {"previous_item_id": request.previous_item_id}
    return _with_response({"type": "conversation.item.create", "item": request.item, **place}, request.respond)


def _with_response(create: JsonObject, respond: bool) -> AskedEvents:
    return AskedEvents([create, {"type": "response.create"}], in_turn=True) if respond else AskedEvents([create])


def _remove_item(request: RemoveItemRequest) -> AskedEvents:
    return AskedEvents([{"type": "conversation.item.delete", "item_id": request.item_id}])


def _truncate_item(request: TruncateItemRequest) -> AskedEvents:
    fields = request.model_dump(include={"item_id", "audio_end_ms", "content_index"})
    return AskedEvents([{"type": "conversation.item.truncate", **fields}])


def _respond(request: RespondRequest) -> AskedEvents:
    return _in_its_turn({"type": "response.create", **({"response": request.response} if request.response else {})})


def _event(request: EventRequest) -> AskedEvents:
    if not isinstance(request.event.get("type"), str):
        hint = 'such as {"type": "response.create"}'
        raise RequestRefused("bad-request", "a client event needs a `type`", hint)
    return _in_its_turn(request.event)


def _in_its_turn(event: JsonObject) -> AskedEvents:
    response = event.get("response")
    is_aside = isinstance(response, dict) and response.get("conversation") == "none"
    return AskedEvents([event], in_turn=event["type"] == "response.create" and not is_aside)


def _plain(request: PlainRequest) -> AskedEvents | None:
    is_buffer = request.command in {"commit", "clear"}
    return AskedEvents([{"type": f"input_audio_buffer.{request.command}"}]) if is_buffer else None


_MAKERS: Final[dict[type, Callable[[Any], AskedEvents | None]]] = {
    SayRequest: _say,
    AddItemRequest: _add_item,
    RemoveItemRequest: _remove_item,
    TruncateItemRequest: _truncate_item,
    RespondRequest: _respond,
    EventRequest: _event,
    PlainRequest: _plain,
}


def _checked(changes: JsonObject, kind: SessionType) -> JsonObject:
    """The changes as the API takes them; what it may know beyond that, the request `event` sends unseen."""
    from runner.api.api_object import ApiObject
    from runner.api.live_session import LiveChange
    from runner.api.session_config import RealtimeSession, TranscriptionSession, TranslationSession

    kinds: dict[SessionType, type[ApiObject]] = {
        "realtime": RealtimeSession,
        "transcription": TranscriptionSession,
        "translation": TranslationSession,
        "live": LiveChange,
    }
    try:
        checked = kinds[kind].model_validate(changes, context={"wire": True})
    except ValidationError as error:
        hint = "the keys are those of the API's session object; `event` sends any other as it is"
        raise RequestRefused("bad-request", problems_of(error), hint) from None
    fields = checked.model_dump(mode="json", exclude_unset=True, exclude={"type"})
    # The configuration of a translation or a Live session has no type.
    return fields if kind in {"translation", "live"} else {"type": kind, **fields}
