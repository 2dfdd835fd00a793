"""Every client event that the runner sends, against both references of the protocol."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from runner.api.client_events import (
    CLIENT_EVENT_TYPES,
    ConversationItemDelete,
    InputAudioBufferAppend,
    SessionInputAudioBufferAppend,
    TranslationUpdate,
)
from runner.api.session_config import TranslationSession
from runner.profile import load_profile
from runner.protocol.event_table import routes_of
from runner.protocol.session_update import session_update
from runner.session.opening import open_session
from tests.helpers.peer import Peer, profile_for, serving

SCHEMA_FILE = Path(__file__).resolve().parents[3] / "shared" / "spec" / "realtime.schema.json"
TRANSLATION_TYPES = {"session.update", "session.input_audio_buffer.append", "session.close"}
SESSION = {
    "instructions": "Be brief.",
    "output_modalities": ["audio"],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
    "tracing": "auto",
    "tools": [{"type": "function", "name": "time", "parameters": {"type": "object", "properties": {}}}],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "noise_reduction": {"type": "near_field"},
            "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
            "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
        },
        "output": {"voice": "marin", "speed": 1.2},
    },
}


def schema(union: str = "RealtimeClientEvent") -> Draft202012Validator:
    """The official schema of client events; the test skips where it is absent."""
    if not SCHEMA_FILE.exists():
        pytest.skip("the official schema is not beside this checkout")
    definitions = json.loads(SCHEMA_FILE.read_text())["$defs"]
    return Draft202012Validator({"$defs": definitions, "$ref": f"#/$defs/{union}"})


async def sent() -> list[dict[str, Any]]:
    """What goes over the wire when everything of the Python API is used."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        for number in range(2):
            await peer.until("response.create")
            await peer.answer("Hi", response_id=f"resp_{number}", item_id=f"item_{number}", end=number == 0)
        await peer.until("response.cancel")
        await peer.end("Hi", response_id="resp_1", item_id="item_1", status="cancelled")
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        async with open_session(profile_for(port, session=SESSION)) as session:
            await session.say("Hello ☎")
            await session.respond(instructions="Shorter.", output_modalities=["text"], metadata={"a": "b"})
            await session.cancel()
            await session.wait_answered()
            await session.update(instructions="Be long.")
            await session.send(InputAudioBufferAppend(audio="AAAA"))
            await session.send(ConversationItemDelete(item_id="item_0"))
        return peers[0].received


@pytest.mark.anyio
async def test_what_is_sent_is_what_openai_python_would_send() -> None:
    """openai-python's types take every event, and say the same when they write it."""
    events = await sent()
    adapter: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)

    assert len({each["type"] for each in events}) == 6
    for event in events:
        assert adapter.validate_python(event).model_dump(mode="json", exclude_unset=True) == event


@pytest.mark.anyio
async def test_what_is_sent_satisfies_the_official_schema() -> None:
    """The official description of the protocol refuses no event of ours."""
    validator = schema()

    for event in await sent():
        validator.validate(event)


@pytest.mark.parametrize("name", ["local", "openai", "openai-transcription", "transcribe", "azure-prod", "azure-key"])
def test_the_first_update_of_every_profile_satisfies_the_official_schema(name: str, repository: Path) -> None:
    """What a profile asks for is what the API takes."""
    schema().validate(session_update(load_profile(name, profiles_dir=repository / "profiles").profile))


def test_every_client_event_of_the_protocol_has_a_type() -> None:
    """The eleven of the official schema, no more and no fewer."""
    schema()
    definitions = json.loads(SCHEMA_FILE.read_text())["$defs"]
    names = [each["$ref"].rpartition("/")[2] for each in definitions["RealtimeClientEvent"]["anyOf"]]

    assert set(CLIENT_EVENT_TYPES) == {definitions[name]["properties"]["type"]["enum"][0] for name in names}


async def translated() -> list[dict[str, Any]]:
    """What goes over the wire when everything of the Python API is used that a translation has."""

    async def script(peer: Peer) -> None:
        table = {"id": "s", "type": "translation", "model": "test", "audio": {}}
        await peer.send({"type": "session.created", "session": table})
        await peer.until("session.update")
        await peer.send({"type": "session.updated", "session": table})
        await peer.until("session.close")
        await peer.send({"type": "session.closed"})
        await peer.to_the_end()

    hearing = {"transcription": {"model": "gpt-realtime-whisper"}, "noise_reduction": {"type": "near_field"}}
    asked = {"type": "translation", "audio": {"input": hearing, "output": {"language": "es"}}}
    async with serving(script) as (port, peers):
        async with open_session(profile_for(port, session=asked)) as session:
            await session.append_audio(bytes(480))
            await session.send(InputAudioBufferAppend(audio="AAAA"))
            await session.send(SessionInputAudioBufferAppend(audio="AAAA"))
            await session.update(audio={"output": {"language": "fr"}})
            await session.send(TranslationUpdate(session=TranslationSession()))
        return peers[0].received


@pytest.mark.anyio
async def test_what_is_sent_to_a_translation_satisfies_the_official_schema() -> None:
    """It has three events of its own, and a configuration without a type."""
    validator = schema("RealtimeTranslationClientEvent")
    events = await translated()

    assert {each["type"] for each in events} == TRANSLATION_TYPES
    assert len(events) == 7
    for event in events:
        validator.validate(event)


def test_the_first_update_of_the_interpreter_satisfies_the_official_schema(repository: Path) -> None:
    """What the profile asks for is what the API takes."""
    asked = session_update(load_profile("interpret").profile)

    schema("RealtimeTranslationClientEvent").validate(asked)


def test_every_event_of_a_translation_is_known() -> None:
    """Those of the official schema, no more and no fewer, in both directions."""
    schema()
    definitions = json.loads(SCHEMA_FILE.read_text())["$defs"]

    def types(union: str) -> set[str]:
        names = [each["$ref"].rpartition("/")[2] for each in definitions[union]["anyOf"]]
        return {definitions[name]["properties"]["type"]["enum"][0] for name in names}

    assert types("RealtimeTranslationClientEvent") == TRANSLATION_TYPES
    assert types("RealtimeTranslationServerEvent") == set(routes_of("translation"))
