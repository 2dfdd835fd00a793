"""Client events are exactly the API's JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter, ValidationError

from runner.api import api_object, audio_config, items, session_config, session_options, tools
from runner.api import client_events as events
from runner.api.session_types import MAX_APPEND_BYTES
from runner.profile.descriptions import describe

MESSAGE = items.UserMessage(content=[items.InputText(text="Hello")])
FULL_SESSION = session_config.RealtimeSession(
    output_modalities=["audio"],
    model="gpt-realtime-2",
    instructions="Be brief.",
    audio=audio_config.SessionAudio(
        input=audio_config.SessionAudioInput(
            format=audio_config.PcmFormat(rate=24000),
            transcription=audio_config.Transcription(model="gpt-4o-transcribe", language="en", prompt=None),
            noise_reduction=audio_config.NoiseReduction(type="near_field"),
            turn_detection=audio_config.ServerVad(threshold=0.5, idle_timeout_ms=5000),
        ),
        output=audio_config.SessionAudioOutput(
            format=audio_config.PcmuFormat(), voice=audio_config.CustomVoice(id="voice_1"), speed=1.5
        ),
    ),
    include=["item.input_audio_transcription.logprobs"],
    tracing=session_options.TracingConfiguration(workflow_name="w", metadata={"k": 1}),
    tools=[
        tools.FunctionTool(name="f", parameters={"type": "object"}),
        tools.McpTool(
            server_label="s",
            server_url="https://mcp.example/",
            allowed_tools=tools.McpToolFilter(read_only=True),
            require_approval="never",
            headers={"X-Key": "v"},
        ),
    ],
    tool_choice=tools.ToolChoiceMcp(server_label="s"),
    parallel_tool_calls=True,
    reasoning=session_options.Reasoning(effort="low"),
    max_output_tokens="inf",
    truncation=session_options.RetentionTruncation(
        retention_ratio=0.8, token_limits=session_options.TokenLimits(post_instructions=8000)
    ),
    prompt=session_options.Prompt(id="pmpt_1", version="2", variables={"name": "Ada"}),
)
SAMPLES: list[tuple[events.ClientEventBase, dict[str, Any]]] = [
    (
        events.SessionUpdate(session=session_config.RealtimeSession()),
        {"type": "session.update", "session": {"type": "realtime"}},
    ),
    (
        events.SessionUpdate(session=session_config.TranscriptionSession(), event_id="e"),
        {"type": "session.update", "event_id": "e", "session": {"type": "transcription"}},
    ),
    (events.InputAudioBufferAppend(audio="AAAA"), {"type": "input_audio_buffer.append", "audio": "AAAA"}),
    (events.InputAudioBufferCommit(), {"type": "input_audio_buffer.commit"}),
    (events.InputAudioBufferClear(), {"type": "input_audio_buffer.clear"}),
    (events.OutputAudioBufferClear(), {"type": "output_audio_buffer.clear"}),
    (
        events.ConversationItemCreate(item=MESSAGE, previous_item_id="root"),
        {
            "type": "conversation.item.create",
            "previous_item_id": "root",
            "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        },
    ),
    (events.ConversationItemRetrieve(item_id="i"), {"type": "conversation.item.retrieve", "item_id": "i"}),
    (
        events.ConversationItemTruncate(item_id="i", content_index=0, audio_end_ms=1),
        {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 1},
    ),
    (events.ConversationItemDelete(item_id="i"), {"type": "conversation.item.delete", "item_id": "i"}),
    (
        events.ResponseCreate(
            response=events.ResponseCreateParams(
                conversation="none", metadata={"k": "v"}, input=[items.ItemReference(id="i")]
            )
        ),
        {
            "type": "response.create",
            "response": {
                "conversation": "none",
                "metadata": {"k": "v"},
                "input": [{"type": "item_reference", "id": "i"}],
            },
        },
    ),
    (events.ResponseCancel(), {"type": "response.cancel"}),
]


def read(wire: dict[str, Any]) -> events.ClientEventBase:
    """The event that a JSON object is."""
    return events.CLIENT_EVENT_TYPES[wire["type"]].model_validate(wire, strict=True, context={"wire": True})


@pytest.mark.parametrize(("event", "wire"), SAMPLES, ids=lambda value: type(value).__name__)
def test_to_wire_is_the_apis_json(event: events.ClientEventBase, wire: dict[str, Any]) -> None:
    """What was set is on the wire with its `type`, nothing else is, and it reads back as the same event."""
    assert event.to_wire() == wire
    assert read(wire) == event


def test_every_event_is_sampled() -> None:
    """The samples and the table agree on the eleven events."""
    assert {event.to_wire()["type"] for event, _ in SAMPLES} == set(events.CLIENT_EVENT_TYPES)
    assert len(events.CLIENT_EVENT_TYPES) == 11


def test_the_references_accept_them() -> None:
    """openai-python's types and the official schema, where it is there, accept every sample and a full session."""
    schema = Path(__file__).resolve().parents[3] / "shared" / "spec" / "realtime.schema.json"
    openai: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
    official = None
    if schema.exists():
        definitions = json.loads(schema.read_text())["$defs"]
        official = Draft202012Validator({"$defs": definitions, "$ref": "#/$defs/RealtimeClientEvent"})
    for event in [*(event for event, _ in SAMPLES), events.SessionUpdate(session=FULL_SESSION)]:
        wire = event.to_wire()
        if "item_reference" in json.dumps(wire):
            continue  # documented in words only
        openai.validate_python(wire)
        if official:
            official.validate(wire)


TRANSLATION: list[tuple[events.ClientEventBase, dict[str, Any]]] = [
    (
        events.TranslationUpdate(
            session=session_config.TranslationSession(
                audio=audio_config.TranslationAudio(
                    input=audio_config.TranslationInput(
                        transcription=audio_config.TranslationTranscription(model="gpt-realtime-whisper"),
                        noise_reduction=None,
                    ),
                    output=audio_config.TranslationOutput(language="es"),
                )
            )
        ),
        {
            "type": "session.update",
            "session": {
                "audio": {
                    "input": {"transcription": {"model": "gpt-realtime-whisper"}, "noise_reduction": None},
                    "output": {"language": "es"},
                }
            },
        },
    ),
    (
        events.SessionInputAudioBufferAppend(audio="AAAA", event_id="e"),
        {"type": "session.input_audio_buffer.append", "audio": "AAAA", "event_id": "e"},
    ),
    (events.SessionClose(), {"type": "session.close"}),
]


@pytest.mark.parametrize(("event", "wire"), TRANSLATION, ids=lambda value: type(value).__name__)
def test_the_events_of_a_translation_are_the_apis(event: events.ClientEventBase, wire: dict[str, Any]) -> None:
    """Exactly its JSON, which names no type of the session, and the official schema takes it."""
    assert event.to_wire() == wire
    assert type(event).model_validate(wire, strict=True) == event
    schema = Path(__file__).resolve().parents[3] / "shared" / "spec" / "realtime.schema.json"
    if schema.exists():
        definitions = json.loads(schema.read_text())["$defs"]
        reference = "#/$defs/RealtimeTranslationClientEvent"
        Draft202012Validator({"$defs": definitions, "$ref": reference}).validate(wire)


def test_the_schema_names_no_field_that_is_missing() -> None:
    """The session objects and the response have every field of the official schema."""
    schema = Path(__file__).resolve().parents[3] / "shared" / "spec" / "realtime.schema.json"
    if not schema.exists():
        pytest.skip("the official schema is not beside this checkout")
    definitions = json.loads(schema.read_text())["$defs"]
    models: dict[str, type[api_object.ApiObject]] = {
        "RealtimeSessionCreateRequestGA": session_config.RealtimeSession,
        "RealtimeTranscriptionSessionCreateRequestGA": session_config.TranscriptionSession,
        "AudioTranscription": audio_config.Transcription,
        "MCPTool": tools.McpTool,
        "RealtimeFunctionTool": tools.FunctionTool,
        "RealtimeResponseCreateParams": events.ResponseCreateParams,
    }
    translation = {"type", *definitions["RealtimeTranslationSessionUpdateRequest"]["properties"]}
    assert translation == set(session_config.TranslationSession.model_fields)
    for name, model in models.items():
        assert set(definitions[name]["properties"]) == set(model.model_fields), name


@pytest.mark.parametrize("word", ["none", None])
def test_none_clears_in_a_profile(word: str | None) -> None:
    """A profile, which has no null, clears by the word none."""
    fields = {"turn_detection": word, "transcription": word, "noise_reduction": word}
    cleared = session_config.RealtimeSession.model_validate(
        {"audio": {"input": fields}, "tracing": word, "prompt": word}
    )

    assert cleared.model_dump(mode="json", exclude_unset=True) == {
        "type": "realtime",
        "audio": {"input": dict.fromkeys(fields)},
        "tracing": None,
        "prompt": None,
    }


def test_none_is_no_null_on_the_wire() -> None:
    """A client that sends the word none is refused, as the API refuses it."""
    wire = {"type": "session.update", "session": {"type": "realtime", "tracing": "none"}}

    with pytest.raises(ValidationError):
        events.SessionUpdate.model_validate(wire, context={"wire": True})
    assert events.SessionUpdate.model_validate(wire).to_wire()["session"]["tracing"] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"max_output_tokens": 0},
        {"max_output_tokens": 4097},
        {"max_output_tokens": "all"},
        {"output_modalities": ["text", "audio"]},
        {"output_modalities": []},
        {"audio": {"output": {"speed": 0.24}}},
        {"audio": {"output": {"speed": 1.51}}},
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 4999}}}},
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 30001}}}},
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 1.1}}}},
        {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 0.5}}}},
        {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}},
        {"truncation": {"type": "retention_ratio", "retention_ratio": 1.5}},
        {"truncation": {"type": "retention_ratio"}},
        {"temperature": 0.8},
        {"tools": [{"type": "function"}]},
    ],
    ids=json.dumps,
)
def test_bounds_of_a_session(fields: dict[str, Any]) -> None:
    """What the API documents as out of bounds is refused before it is sent."""
    with pytest.raises(ValidationError):
        session_config.RealtimeSession.model_validate(fields)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.cancel", "event_id": "e" * 513},
        {"type": "input_audio_buffer.append", "audio": "A" * (MAX_APPEND_BYTES + 1)},
        {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": -1},
        {"type": "response.create", "response": {"metadata": {str(key): "" for key in range(17)}}},
        {"type": "response.create", "response": {"metadata": {"k": "v" * 513}}},
        {"type": "response.create", "response": {"metadata": {"k" * 65: "v"}}},
        {"type": "response.create", "surprise": 1},
    ],
    ids=lambda event: json.dumps(event)[:60],
)
def test_bounds_of_events(event: dict[str, Any]) -> None:
    """Events that the API would refuse are refused before they are sent."""
    with pytest.raises(ValidationError):
        read(event)


def test_editors_learn_of_the_word_none() -> None:
    """The JSON Schema of a clearable field accepts the word none."""
    document = session_config.RealtimeSession.model_json_schema()
    describe(document, session_config.RealtimeSession)

    assert {"const": "none", "type": "string"} in document["properties"]["tracing"]["anyOf"]
