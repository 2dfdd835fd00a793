"""Updates merge into the effective configuration."""

from tests.helpers.local_client import Wire


def test_updates_merge() -> None:
    """What an update does not name keeps its value."""
    wire = Wire()
    wire.update(instructions="Be brief.", audio={"output": {"voice": "cedar"}})

    session = wire.update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.7}}})

    assert session["instructions"] == "Be brief."
    assert session["audio"]["output"]["voice"] == "cedar"
    assert session["audio"]["input"]["turn_detection"]["threshold"] == 0.7
    assert session["audio"]["input"]["turn_detection"]["prefix_padding_ms"] == 300


def test_empty_values_and_null_clear() -> None:
    """An empty string, an empty list and null take a setting away."""
    wire = Wire()
    include = ["item.input_audio_transcription.logprobs"]
    tools = [{"type": "function", "name": "f", "parameters": {"default": None}}]
    full = wire.update(
        instructions="x", tools=tools, include=include, prompt={"id": "pmpt_1"}, reasoning={"effort": "low"}
    )

    empty = wire.update(
        instructions="",
        tools=[],
        include=[],
        prompt=None,
        reasoning=None,
        audio={"input": {"turn_detection": None}},
    )

    assert full["tools"] == tools
    assert full["include"] == include
    assert empty["instructions"] == ""
    assert empty["tools"] == []
    assert empty["prompt"] is None
    assert "include" not in empty
    assert "reasoning" not in empty
    assert empty["audio"]["input"]["turn_detection"] is None
    assert wire.update(instructions=None, output_modalities=None)["output_modalities"] == ["audio"]


def test_another_kind_of_turn_detection_starts_from_its_defaults() -> None:
    """Settings of one kind of turn detection do not leak into the other."""
    wire = Wire()
    vad = {"type": "semantic_vad", "eagerness": "high"}

    session = wire.update(audio={"input": {"turn_detection": vad}})

    assert session["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "high",
        "create_response": True,
        "interrupt_response": True,
    }


def test_fields_that_the_api_does_not_show() -> None:
    """What the API takes but does not show is taken and not shown."""
    wire = Wire()

    session = wire.update(
        parallel_tool_calls=True,
        audio={
            "input": {"noise_reduction": {"type": "near_field", "strength": 0.5}, "transcription": {"delay": "low"}},
            "output": {"voice": {"id": "voice_1"}},
        },
    )

    assert "parallel_tool_calls" not in session
    assert session["audio"]["input"]["noise_reduction"] == {"type": "near_field"}
    assert session["audio"]["output"]["voice"] == "voice_1"


def test_tracing_is_fixed_once_on() -> None:
    """Tracing can be switched on once and then stays as it is."""
    wire = Wire()
    wire.update(tracing={"workflow_name": "w"})

    error = wire.refusal("session.update", session={"type": "realtime", "tracing": "auto"})

    assert error["param"] == "session.tracing"
    assert wire.update(tracing={"workflow_name": "w"})["tracing"] == {"workflow_name": "w"}
