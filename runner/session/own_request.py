"""Requests that rt-run makes by itself: to greet, to ask whether somebody is there, to say good-bye."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

from runner.protocol.typed_text import spoken_event
from runner.protocol.word_for_word import recital

if TYPE_CHECKING:
    from runner.api.session_types import SessionType
    from runner.protocol.json_fields import JsonObject

_PREFIX = "rt_run_"


def own_request(response: JsonObject) -> JsonObject:
    """The `response.create` of a response that calls no tools, under an `event_id` that says that it is rt-run's."""
    return {
        "type": "response.create",
        "event_id": own_id(),
        "response": {**response, "tool_choice": "none"},
    }


def own_id() -> str:
    """The `event_id` of a request that rt-run makes by itself."""
    return f"{_PREFIX}{token_hex(10)}"


def request_to_say(text: str, kind: SessionType) -> JsonObject:
    """The request to say a text word for word, whatever was said before; a Live session may say it otherwise."""
    if kind == "live":
        return spoken_event(text, own_id())
    return own_request({"instructions": recital(text), "input": []})


def is_own(request_id: str) -> bool:
    """Whether rt-run has made the `response.create` with this `event_id` by itself: no answer to anything."""
    return request_id.startswith(_PREFIX)
