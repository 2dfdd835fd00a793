"""What was asked of a realtime session, asked of a Live session that takes over, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runner.protocol.live_history import known_events
from runner.protocol.request import RESPONSE, out_of_band
from runner.protocol.tool_place import change_of_tools
from runner.protocol.typed_text import (
    COMMENTARY,
    INSTRUCTIONS,
    opening_event,
    opening_prompt,
    repeated_event,
    says_first,
    spoken_event,
    typed_event,
    typed_text,
)
from runner.protocol.word_for_word import recital, recited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.protocol.json_fields import JsonObject
    from runner.protocol.request import Request
    from runner.protocol.state import SessionState

_ITEM: Final = "conversation.item.create"
_LIVE_REQUESTS: Final = frozenset({INSTRUCTIONS, COMMENTARY})
_ROLES: Final = {"user": "The user has said", "assistant": "You have said", "system": "Know this"}


def bridge_retries(state: SessionState) -> list[Request]:
    """Put the requests that are to be sent again into the words of this connection's kind of session.

    Where functions run that a delegation has called, a realtime session is asked with their outputs, and not before.

    Returns:
        The requests that cannot be put so; they are retried no longer.
    """
    kept: list[Request] = []
    dropped: list[Request] = []
    is_live, rounds = state.kind == "live", [each for each in state.rounds.open if each.is_delegated]
    for asked in state.pending.to_retry:
        if rounds and not is_live and not says_first(asked.event):
            for each in rounds:
                each.turn_id = each.turn_id or asked.first_id
        elif event := _request(asked.event, state):
            kept.append(asked._replace(event=_unnamed(event)))
        else:
            dropped.append(asked)
    if not is_live:
        for each in rounds:
            each.is_delegated = False
    state.pending.to_retry[:] = kept
    return dropped


def bridged(events: Sequence[JsonObject], state: SessionState) -> list[JsonObject]:
    """Client events that were made for the other kind of session, as this connection's kind has them.

    What one has no need of there is left out: a mute, a commit, a setting.
    """
    return _for_live(events, state) if state.kind == "live" else _for_realtime(events, state)


def _for_live(events: Sequence[JsonObject], state: SessionState) -> list[JsonObject]:
    texts = [text for each in events if (text := _message(each, "user"))]
    found: list[JsonObject] = []
    for each in events:
        match each:
            case {"type": "response.create"} if texts and not out_of_band(each):
                found.append(typed_event("\n\n".join(texts), each.get("event_id", "")))
                texts = []
            case {"type": "response.create"} if event := _request(each, state):
                found.append({**event, **_id_of(each)})
            case {"type": "conversation.item.create", "item": {"type": "message", "role": role}} if role in [*_ROLES]:
                is_asked = role == "user" and any(one.get("type") == "response.create" for one in events)
                if not is_asked and (text := _message(each, role)):
                    found += known_events(f"{_ROLES[role]}: {text}")
            case {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": output}}:
                found.append(next(known_events(f"A function has answered: {output}")))
            case {"type": "session.update", "session": {"tools": list() as tools}}:
                found.append({**each, "session": change_of_tools("live", _tools(tools))})
            case _:
                pass
    return found


def _for_realtime(events: Sequence[JsonObject], state: SessionState) -> list[JsonObject]:
    found: list[JsonObject] = []
    for each in events:
        match each:
            case {"type": "session.instructions.append"} if text := typed_text(each):
                found += [_item("user", text), {**RESPONSE, **_id_of(each)}]
            case {"type": "session.instructions.append", "content": str() as content} if not opening_prompt(content):
                found.append(_item("system", content))
            case {"type": "session.thinking.append", "content": str() as content}:
                found.append(_item("system", content))
            case {"type": kind} if kind in _LIVE_REQUESTS and (event := _request(each, state)):
                found.append({**event, **_id_of(each)})
            case {"type": "session.update", "session": {"delegation": {"responses": {"tools": list() as tools}}}}:
                found.append({**each, "session": change_of_tools("realtime", _tools(tools))})
            case _:
                pass
    return found


def _request(event: JsonObject, state: SessionState) -> JsonObject | None:
    """A request as this connection's kind of session takes it, None where it takes none such."""
    is_live = state.kind == "live"
    if is_live is (event.get("type") in _LIVE_REQUESTS):
        return event
    return _live_request(event, state) if is_live else _realtime_request(event, state)


def _live_request(event: JsonObject, state: SessionState) -> JsonObject | None:
    response = event.get("response")
    instructions = response.get("instructions") if isinstance(response, dict) else None
    if out_of_band(event):
        return None
    if isinstance(instructions, str) and instructions:
        text = recited(instructions)
        return opening_event(instructions, "") if text is None else spoken_event(text, "")
    words = state.conversation.last_words
    return repeated_event(words) if words else None


def _realtime_request(event: JsonObject, state: SessionState) -> JsonObject:
    content = str(event.get("content"))
    if event["type"] == COMMENTARY:
        return {**RESPONSE, "response": {"instructions": recital(content), "input": [], "tool_choice": "none"}}
    if prompt := opening_prompt(content):
        own = state.configuration.wanted.get("instructions")
        instructions = "\n\n".join(str(each) for each in (own, prompt) if each)
        return {**RESPONSE, "response": {"instructions": instructions, "tool_choice": "none"}}
    return RESPONSE


def _message(event: JsonObject, role: str) -> str:
    """The words of a message that a client event creates, nothing where it creates none of this role."""
    item = event.get("item")
    if event.get("type") != _ITEM or not isinstance(item, dict) or item.get("role") != role:
        return ""
    parts = item.get("content")
    texts = (str(part.get("text") or "") for part in parts if isinstance(part, dict)) if isinstance(parts, list) else ()
    return "".join(texts)


def _item(role: str, text: str) -> JsonObject:
    content = [{"type": "input_text", "text": text}]
    return {"type": _ITEM, "item": {"type": "message", "role": role, "content": content}}


def _tools(tools: list[object]) -> list[JsonObject]:
    return [each for each in tools if isinstance(each, dict)]


def _id_of(event: JsonObject) -> JsonObject:
    return {"event_id": event["event_id"]} if event.get("event_id") else {}


def _unnamed(event: JsonObject) -> JsonObject:
    return {key: value for key, value in event.items() if key != "event_id"}
