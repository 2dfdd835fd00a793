"""What is wrong with an event is told as the API tells it."""

import json
from typing import Any

import pytest

from tests.helpers.local_client import Wire, error_of, user_message


def update(**session: Any) -> dict[str, Any]:
    """A session update of a conversation."""
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def item(**fields: Any) -> dict[str, Any]:
    """A new item."""
    return {"type": "conversation.item.create", "item": fields}


MANY = {f"k{number}": 1 for number in range(60_000)}

FAULTS: list[tuple[Any, str, str | None]] = [
    ([], "invalid_type", None),
    (None, "invalid_type", None),
    ({}, "missing_required_parameter", "type"),
    ({"type": 3}, "invalid_type", "type"),
    ({"type": "session.create"}, "invalid_value", "type"),
    ({"type": "session.update"}, "missing_required_parameter", "session"),
    ({"type": "session.update", "session": {}}, "missing_required_parameter", "session.type"),
    ({"type": "session.update", "session": "x"}, "invalid_type", "session"),
    ({"type": "session.update", "session": {"type": "chat"}}, "invalid_value", "session.type"),
    ({"type": "session.update", "session": {"type": "transcription"}}, "invalid_parameter", "session.type"),
    (update(temperature=0.8), "unknown_parameter", "session.temperature"),
    (update(**MANY), "invalid_value", None),
    ({"type": "session.update", **MANY}, "invalid_value", None),
    (update(tools=[1] * 60_000), "invalid_value", None),
    (update(tools=[[1]] * 30_000), "invalid_value", None),
    (update(tools=[1] * 40_000), "invalid_type", "session.tools[0]"),
    (update(model="other"), "invalid_value", "session.model"),
    (update(instructions=3), "invalid_type", "session.instructions"),
    (update(output_modalities=["text", "audio"]), "array_above_max_length", "session.output_modalities"),
    (update(output_modalities=["video"]), "invalid_value", "session.output_modalities[0]"),
    (update(max_output_tokens=0), "integer_below_min_value", "session.max_output_tokens"),
    (update(max_output_tokens=4097), "integer_above_max_value", "session.max_output_tokens"),
    (update(max_output_tokens="all"), "invalid_value", "session.max_output_tokens"),
    (update(tools=[{"name": "f"}]), "missing_required_parameter", "session.tools[0].type"),
    (update(tools=[{"type": "function"}]), "missing_required_parameter", "session.tools[0].name"),
    (update(tools=[{"type": "shell", "name": "f"}]), "invalid_value", "session.tools[0].type"),
    (update(tools=[{"type": "function", "name": "f", "meta": 1}]), "unknown_parameter", "session.tools[0].meta"),
    (update(tool_choice={"type": "function"}), "missing_required_parameter", "session.tool_choice.name"),
    (update(tool_choice="never"), "invalid_value", "session.tool_choice"),
    (update(audio={"output": {"speed": 2}}), "integer_above_max_value", "session.audio.output.speed"),
    (update(audio={"output": {"speed": 0.1}}), "decimal_below_min_value", "session.audio.output.speed"),
    (update(audio={"output": {"voice": 7}}), "invalid_type", "session.audio.output.voice"),
    (update(audio={"input": {"format": "pcm16"}}), "invalid_type", "session.audio.input.format"),
    (update(audio={"input": {"turn_detection": "none"}}), "invalid_type", "session.audio.input.turn_detection"),
    (
        update(audio={"input": {"turn_detection": {"type": "magic"}}}),
        "invalid_value",
        "session.audio.input.turn_detection.type",
    ),
    (
        update(audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 10}}}),
        "integer_below_min_value",
        "session.audio.input.turn_detection.idle_timeout_ms",
    ),
    ({"type": "conversation.item.create"}, "missing_required_parameter", "item"),
    (item(), "missing_required_parameter", "item.type"),
    (item(type="message", content=[]), "missing_required_parameter", "item.role"),
    (item(type="message", role="user"), "missing_required_parameter", "item.content"),
    (item(type="message", role="robot", content=[]), "invalid_value", "item.role"),
    (item(type="note"), "invalid_value", "item.type"),
    (
        item(type="message", role="user", content=[{"type": "text", "text": "x"}]),
        "invalid_value",
        "item.content[0].type",
    ),
    (
        item(type="message", role="user", content=[{"type": "input_text"}]),
        "missing_required_parameter",
        "item.content[0].text",
    ),
    (
        item(type="message", role="user", content=[{"type": "input_audio"}]),
        "missing_required_parameter",
        "item.content[0].audio",
    ),
    (
        item(type="message", role="user", content=[{"type": "input_audio", "audio": "?"}]),
        "invalid_value",
        "item.content[0].audio",
    ),
    (
        item(type="message", role="assistant", content=[{"type": "output_audio", "transcript": "x"}]),
        "missing_required_parameter",
        "item.content[0].text",
    ),
    (
        item(type="message", role="assistant", content=[{"type": "output_audio", "text": "x"}]),
        "invalid_value",
        "item.content[0].type",
    ),
    (item(id="x" * 33, **user_message("x")), "string_above_max_length", "item.id"),
    ({"type": "conversation.item.delete"}, "missing_required_parameter", "item_id"),
    ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
    ({"type": "input_audio_buffer.append", "audio": None}, "invalid_type", "audio"),
    ({"type": "response.create", "response": {"conversation": "other"}}, "invalid_value", "response.conversation"),
    ({"type": "response.create", "event_id": "e" * 513}, "string_above_max_length", "event_id"),
    ({"type": "output_audio_buffer.clear"}, "invalid_value", "type"),
]


@pytest.mark.parametrize(("document", "code", "param"), FAULTS, ids=lambda value: json.dumps(value)[:60])
def test_faults_have_the_code_and_the_path(document: Any, code: str, param: str | None) -> None:
    """Each fault is answered by its code and the dotted path of the field, and the session goes on."""
    wire = Wire()

    error = error_of(wire.raw(json.dumps(document)))

    assert (error["code"], error["param"]) == (code, param), error["message"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert wire.update()


@pytest.mark.parametrize("message", ["", "{", '{"type": NaN}', '"\\ud800"', "[" * 100_000, b"\x00\x01"])
def test_what_is_no_json_is_refused(message: str | bytes) -> None:
    """Broken JSON and binary messages are refused, and the session goes on."""
    wire = Wire()

    error = error_of(wire.raw(message))

    assert error["code"] in {"invalid_json", "invalid_message"}
    assert wire.update()


def test_messages_are_the_apis() -> None:
    """The sentences are those that the API's users know."""
    wire = Wire()

    unknown = wire.refusal("session.update", event_id="mine", session={"type": "realtime", "temperature": 1})
    wrong = wire.refusal("session.update", session={"type": "realtime", "audio": {"input": {"format": "pcm16"}}})
    value = wire.refusal("session.update", session={"type": "realtime", "tool_choice": "never"})

    assert unknown["message"] == "Unknown parameter: 'session.temperature'."
    assert unknown["event_id"] == "mine"
    assert wrong["message"] == (
        "Invalid type for 'session.audio.input.format': expected an object, but got a string instead."
    )
    assert value["message"] == "Invalid value: 'never'. Supported values are: 'none', 'auto' and 'required'."
