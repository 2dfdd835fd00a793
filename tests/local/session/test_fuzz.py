"""No event, however odd, breaks a session."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.api.client_events import CLIENT_EVENT_TYPES
from runner.api.live_events import LIVE_CLIENT_EVENT_TYPES
from runner.local.session.translating_session import TranslatingSession
from runner.local.speech.engines import engines_for
from runner.settings.endpoint import LocalEndpoint
from tests.helpers.live_client import MODEL, LiveWire
from tests.helpers.local_client import AnyWire, Wire, new_session, said, silence, translated, user_message

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["none", "auto", "inf", "root", "realtime", "server_vad", "audio/pcmu", "AAAA", "item_1", "é\ud800"]
    ),
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["type", "id", "text", "content", "role", "voice", "name"]), inner, max_size=3),
    ),
    max_leaves=6,
)
TURN = base64.b64encode(said("Hello") + silence(500)).decode()
PCM_200_MS = "A" * 12_800
GOOD: list[dict[str, Any]] = [
    {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}},
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "instructions": "Be kind.",
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
            "tool_choice": {"type": "function", "name": "f"},
            "max_output_tokens": 9,
            "tracing": {"workflow_name": "w"},
            "truncation": {"type": "retention_ratio", "retention_ratio": 0.5},
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "m", "language": "en"},
                    "turn_detection": {"type": "server_vad", "idle_timeout_ms": 6000},
                },
                "output": {"voice": "cedar", "speed": 1.1, "format": {"type": "audio/pcma"}},
            },
        },
    },
    {"type": "input_audio_buffer.append", "audio": PCM_200_MS},
    {"type": "input_audio_buffer.append", "audio": TURN},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "output_audio_buffer.clear"},
    {"type": "conversation.item.create", "item": {"id": "item_1", **user_message("Hello")}},
    {
        "type": "conversation.item.create",
        "previous_item_id": "item_1",
        "item": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]},
    },
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    },
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "1"}},
    {
        "type": "conversation.item.create",
        "item": {"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "t", "input_schema": {}}]},
    },
    {"type": "conversation.item.retrieve", "item_id": "item_1"},
    {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 10},
    {"type": "conversation.item.delete", "item_id": "item_1"},
    {
        "type": "response.create",
        "response": {"conversation": "none", "metadata": {"a": "b"}, "input": [user_message("x")]},
    },
    {"type": "response.create"},
    {"type": "response.cancel"},
]


TRANSLATION: list[dict[str, Any]] = [
    {"type": "session.update", "session": {"audio": {"output": {"language": "es"}}}},
    {"type": "session.update", "session": {"audio": {"input": {"transcription": {"model": "m"}}}}},
    {"type": "session.input_audio_buffer.append", "audio": PCM_200_MS},
    {"type": "session.input_audio_buffer.append", "audio": TURN},
    {"type": "session.close"},
]


START = {
    "type": "session.start",
    "session": {
        "model": MODEL,
        "instructions": "Be kind.",
        "audio": {"format": {"type": "audio/pcm", "rate": 24000}, "output": {"voice": "willow"}},
        "delegation": {"type": "responses", "responses": {"model": "m", "tools": [{"type": "function", "name": "f"}]}},
        "input": [{"role": "user", "content": [{"text": "Hello"}]}],
    },
}
LIVE: list[dict[str, Any]] = [
    # Without it nothing else is taken.
    *[START] * 9,
    {"type": "session.update", "session": {"delegation": {"type": "responses", "responses": {"tool_choice": "none"}}}},
    {"type": "session.input_audio.append", "audio": PCM_200_MS},
    {"type": "session.input_audio.append", "audio": TURN},
    {"type": "session.input_audio.mute"},
    {"type": "session.input_audio.unmute"},
    {"type": "session.output_audio.fixture.play", "audio": PCM_200_MS},
    {"type": "session.instructions.append", "content": "Be brief.", "delegation_id": None},
    {"type": "session.thinking.append", "content": "It is done.", "delegation_id": None},
    {"type": "session.commentary.append", "content": "Hello.", "delegation_id": None},
    {"type": "decision.create", "event_id": "d"},
    {"type": "decision.item.create", "item": {"type": "message", "role": "user", "content": "Hello"}},
    {"type": "decision.item.delete", "item_id": "item_1"},
    {"type": "response.item.create", "item": {"type": "message", "role": "user", "content": "Hello"}},
    {"type": "response.create"},
    {"type": "session.close"},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything within a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [place for key, each in pairs for place in places(each, (*path, key))]


@st.composite
def events(draw: st.DrawFn, good: list[dict[str, Any]] = GOOD) -> Any:
    """A good event, as it is or with one or two things changed, removed or added."""
    event = json.loads(json.dumps(draw(st.sampled_from(good))))
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(places(event)))
        if not path:
            return draw(VALUES)
        target = event
        for key in path[:-1]:
            target = target[key]
        how = draw(st.sampled_from(["change", "remove", "add"]))
        if how == "remove":
            del target[path[-1]]
        elif how == "add" and isinstance(target, dict):
            target[draw(st.text(max_size=8))] = draw(VALUES)
        else:
            target[path[-1]] = draw(VALUES)
        if not isinstance(event, dict):
            return event
    return event


@pytest.mark.parametrize("kind", ["realtime", "transcription"])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(messages=st.lists(events(), min_size=1, max_size=6))
def test_every_event_has_an_answer(kind: str, messages: list[Any]) -> None:
    """Each event gets one error or its normal answer, every answer keeps to the protocol, and the session goes on."""
    wire = Wire(new_session(kind=kind))
    for message in messages:
        answers = wire.raw(json.dumps(message))
        silent = isinstance(message, dict) and message.get("type") == "input_audio_buffer.append"
        assert answers or silent, message
        errors = [answer for answer in answers if answer["type"] == "error"]
        assert not errors or len(answers) == 1, message
        wire.step()
    wire.finish()

    assert wire.update()["type"] == kind


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(messages=st.lists(events(TRANSLATION), min_size=1, max_size=6))
def test_every_event_of_a_translation_has_an_answer(messages: list[Any]) -> None:
    """So does a session that interprets, and it closes when it is asked to."""
    session = TranslatingSession(engines_for(LocalEndpoint(kind="local")), model="m", expires_at=4102444800)
    wire = AnyWire(session, translated)
    for message in messages:
        answers = wire.raw(json.dumps(message))
        errors = [answer for answer in answers if answer["type"] == "error"]
        assert not errors or len(answers) == 1, message
        wire.step()
    wire.finish()
    wire.send("session.close")
    wire.finish()

    assert session.is_over
    assert [each["type"] for each in wire.events].count("session.closed") == 1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(message=st.one_of(st.text(), st.binary(), VALUES.map(json.dumps)))
def test_noise_has_an_error(message: str | bytes) -> None:
    """Whatever is no event is answered by one error."""
    wire = Wire()

    (answer,) = wire.raw(message)

    assert answer["type"] == "error"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(messages=st.lists(events(LIVE), min_size=1, max_size=8))
def test_every_event_of_a_live_session_has_an_answer(messages: list[Any]) -> None:
    """So does a Live session, whether it has started or not, and what ends it is one event."""
    wire = LiveWire(script=[{"match": "Hello", "calls": [{"name": "f"}]}])
    for message in messages:
        answers = wire.raw(json.dumps(message))
        errors = [answer for answer in answers if answer["type"] == "error"]
        assert not errors or len(answers) == 1, message
        wire.step()
    wire.finish()
    if not wire.session.is_over:
        wire.send("session.start", session={"model": MODEL})
        wire.send("session.close")

    assert wire.session.is_over
    assert [each["type"] for each in wire.events].count("session.closed") == 1


def test_the_good_events_are_all_kinds() -> None:
    """The events that the fuzzer starts from cover every type."""
    assert {event["type"] for event in GOOD} == set(CLIENT_EVENT_TYPES)
    assert {event["type"] for event in LIVE} == set(LIVE_CLIENT_EVENT_TYPES)
