"""The client events of a Live session against the official schema."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from runner.api.live_events import LIVE_CLIENT_EVENT_TYPES

SCHEMA_FILE = Path(__file__).resolve().parents[3] / "shared" / "spec" / "live.schema.json"
FUNCTION = {"type": "function", "name": "order", "parameters": {"type": "object"}, "strict": True}
MCP = {"type": "mcp", "server_label": "tickets", "server_url": "https://tickets.example/mcp"}
BACKEND = {
    "model": "gpt-5.2",
    "instructions": "Look orders up.",
    "tools": [FUNCTION, MCP, {"type": "web_search"}],
    "tool_choice": {"type": "function", "name": "order"},
    "reasoning": {"effort": "low"},
    "text": {"verbosity": "low"},
}
QUESTION = {"type": "predicate", "instructions": "Is it urgent?"}
SESSION = {
    "model": "gpt-live-1.1",
    "instructions": "Be brief.",
    "audio": {"format": {"type": "audio/pcm", "rate": 16000}, "output": {"voice": "willow"}},
    "delegation": {"type": "responses", "responses": BACKEND, "acknowledgement_delay_ms": 400},
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]},
    ],
    "store": True,
    "triggers": [
        {
            "type": "decisions",
            "event_type": "session.input_transcript.delta",
            "decisions": {"questions": [QUESTION]},
        }
    ],
    "safety_identifier": "5f2b",
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "session.start": {"session": SESSION},
    "session.update": {"session": {"delegation": {"type": "responses", "responses": {"tools": []}}, "triggers": []}},
    "session.input_audio.append": {"audio": "AAAA"},
    "session.input_audio.mute": {},
    "session.input_audio.unmute": {},
    "session.output_audio.fixture.play": {"audio": "AAAA"},
    "session.instructions.append": {"content": "Ask for the order.", "delegation_id": None},
    "session.thinking.append": {"content": "Half of it is done.", "delegation_id": "dele_1"},
    "session.commentary.append": {"content": "It was shipped.", "delegation_id": "dele_1"},
    "decision.create": {"event_id": "now"},
    "decision.item.create": {"item": {"type": "message", "role": "user", "content": "Now!"}},
    "decision.item.delete": {"item_id": "item_1"},
    "response.item.create": {"item": {"type": "function_call_output", "call_id": "call_1", "output": "shipped"}},
    "response.create": {},
    "session.close": {},
}


def test_the_examples_are_all_events() -> None:
    """No client event is missing here, and each has its place in the table."""
    assert list(LIVE_CLIENT_EVENT_TYPES) == list(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_event_is_on_the_wire_as_it_was_written(name: str) -> None:
    """An event keeps every field, and is one by the official schema, where that is beside the checkout."""
    document = {"type": name, **EXAMPLES[name]}
    event = LIVE_CLIENT_EVENT_TYPES[name].model_validate(document, strict=True, context={"wire": True})
    assert event.to_wire() == document
    if not SCHEMA_FILE.exists():
        pytest.skip("the official schema is not beside this checkout")
    definitions = json.loads(SCHEMA_FILE.read_text())["$defs"]
    Draft202012Validator({"$defs": definitions, "$ref": "#/$defs/LiveClientEvent"}).validate(event.to_wire())


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("session.start", {"session": {"model": "gpt-live-1.1", "type": "live"}}),
        ("session.start", {"session": {"audio": {"format": {"type": "audio/pcm", "rate": 48000}}}}),
        ("session.update", {"session": {"instructions": "Be long."}}),
        ("session.commentary.append", {"content": "No delegation, not even null"}),
    ],
)
def test_what_the_api_does_not_take_is_refused(name: str, wrong: dict[str, Any]) -> None:
    """A field that there is not, one that cannot change, and one that is missing are errors."""
    with pytest.raises(ValidationError):
        LIVE_CLIENT_EVENT_TYPES[name].model_validate({"type": name, **wrong}, strict=True, context={"wire": True})
