"""Every client event that the runner sends, against both references of the protocol."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from runner.lifecycle.opening import open_session
from runner.profile import load_profile
from runner.protocol.client_events import CLIENT_EVENT_TYPES, ConversationItemDelete, InputAudioBufferAppend
from runner.protocol.session_update import session_update
from tests.peer import Peer, profile_for, serving

SCHEMA_FILE = Path(__file__).resolve().parents[3] / "shared" / "spec" / "realtime.schema.json"
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


def schema() -> Draft202012Validator:
    """The official schema of client events; the test skips where it is absent."""
    if not SCHEMA_FILE.exists():
        pytest.skip("the official schema is not beside this checkout")
    definitions = json.loads(SCHEMA_FILE.read_text())["$defs"]
    return Draft202012Validator({"$defs": definitions, "$ref": "#/$defs/RealtimeClientEvent"})


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
            await session.settled()
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


@pytest.mark.parametrize("name", ["local", "openai", "openai-transcription", "azure-prod", "azure-key"])
def test_the_first_update_of_every_profile_satisfies_the_official_schema(name: str, repository: Path) -> None:
    """What a profile asks for is what the API takes."""
    schema().validate(session_update(load_profile(str(repository / "profiles" / f"{name}.toml")).profile))


def test_every_client_event_of_the_protocol_has_a_type() -> None:
    """The eleven of the official schema, no more and no fewer."""
    schema()
    definitions = json.loads(SCHEMA_FILE.read_text())["$defs"]
    names = [each["$ref"].rpartition("/")[2] for each in definitions["RealtimeClientEvent"]["anyOf"]]

    assert set(CLIENT_EVENT_TYPES) == {definitions[name]["properties"]["type"]["enum"][0] for name in names}
