"""Every client event that is made for a Live session, against the official schema and the types of openai-python."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openai.types.live import ClientEvent
from pydantic import TypeAdapter

from runner.profile import make_profile
from runner.protocol.live_history import meanwhile_events, start_bounds, told_messages
from runner.protocol.session_update import session_update
from runner.protocol.state import SessionState
from runner.protocol.typed_text import opening_event, repeated_event, spoken_event, told_event, typed_event
from runner.session.greeting_audio import GreetingAudio
from runner.settings.continuity import History

SCHEMA_FILE = Path(__file__).resolve().parents[3] / "shared" / "spec" / "live.schema.json"
SESSION = {
    "type": "live",
    "instructions": "Be brief.",
    "audio": {"format": {"type": "audio/pcm", "rate": 16000}, "output": {"voice": "willow"}},
    "delegation": {
        "type": "responses",
        "responses": {
            "model": "gpt-5.2",
            "tools": [{"type": "function", "name": "order", "parameters": {"type": "object"}, "strict": False}],
        },
    },
    "input": [{"role": "developer", "content": [{"type": "input_text", "text": "The caller is known."}]}],
    "store": True,
}


def conversation() -> SessionState:
    """A session in which both sides have said something."""
    state = SessionState(kind="live")
    for role, text in (("user", "Hello"), ("assistant", "Hi"), ("system", "Be kind.")):
        kind = "output_text" if role == "assistant" else "input_text"
        content = [{"type": kind, "text": text}]
        item = {"id": f"item_{role}", "type": "message", "role": role, "status": "completed", "content": content}
        state.conversation.put(item)
    return state


def events() -> list[dict[str, Any]]:
    """One of each."""
    start = session_update(make_profile(endpoint={"kind": "local"}, model={"name": "gpt-live-1.1"}, session=SESSION))
    state, first = conversation(), start["session"]["input"]
    told = told_messages(state.conversation, start_bounds(History(), first), state.configuration.output_format)
    start["session"]["input"] = [*first, *(each.message for each in told)]
    audio = base64.b64encode(bytes(480)).decode()
    output = {"type": "function_call_output", "call_id": "call_1", "output": "shipped"}
    tools = {"delegation": {"type": "responses", "responses": {"tools": []}}}
    made = [
        start,
        {"type": "session.update", "session": tools},
        {"type": "session.input_audio.append", "audio": audio},
        {"type": "session.input_audio.mute"},
        {"type": "session.input_audio.unmute"},
        {"type": "response.item.create", "item": output},
        {"type": "response.create"},
        {"type": "session.close"},
        typed_event("Hello?"),
        repeated_event("Hello?"),
        told_event("Wait."),
        spoken_event("Good day.", "event_1"),
        opening_event("Greet.", "event_1"),
        *meanwhile_events(told, ()),
        GreetingAudio("Hello", bytes(960), 24_000).fixture(),
    ]
    return [state.identified(each) for each in made]


@pytest.mark.parametrize("event", events(), ids=lambda each: each["type"])
def test_every_client_event_is_valid(event: dict[str, Any]) -> None:
    """By both of its judges, which nobody here wrote."""
    TypeAdapter(ClientEvent).validate_python(event)
    if not SCHEMA_FILE.exists():
        pytest.skip("the official schema is not here")
    definitions = json.loads(SCHEMA_FILE.read_text())
    Draft202012Validator({**definitions, "$ref": "#/$defs/LiveClientEvent"}).validate(event)


def test_the_history_fits_into_a_start() -> None:
    """128 messages and about 8,192 tokens, of which those count that always stand first."""
    first = [{"role": "user", "content": [{"type": "input_text", "text": "x" * 4000}]}] * 8
    bounds = start_bounds(History(), first)
    assert (bounds.max_items, bounds.max_tokens) == (120, 192)
    assert start_bounds(History(max_items=3, max_tokens=5), []) == History(max_items=3, max_tokens=5)
