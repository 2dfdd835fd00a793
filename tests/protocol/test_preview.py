"""The preview dialect: what goes out and comes in is translated, and what has no translation is left alone."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.client_events import CLIENT_EVENT_TYPES
from runner.protocol.event_table import KNOWN_TYPES
from runner.protocol.preview import from_preview, to_preview

PCM = {"type": "audio/pcm", "rate": 24000}
FORMATS = st.sampled_from([PCM, {"type": "audio/pcmu"}, {"type": "audio/pcma"}])
WORDS = st.text(max_size=8)
ENVELOPE = ["type", "session", "item", "response", "audio", "input", "output", "format", "content", "role"]
SETTINGS = ["modalities", "output_modalities", "voice", "turn_detection", "max_output_tokens", "novelty"]
KEYS = st.sampled_from([*ENVELOPE, *SETTINGS])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.sampled_from(["audio", "text", "assistant"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=5)
OLD = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
}


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


INPUT = some(
    format=FORMATS,
    transcription=st.none() | st.just({"model": "whisper-1"}),
    noise_reduction=st.none() | st.just({"type": "near_field"}),
    turn_detection=st.none() | st.just({"type": "server_vad", "threshold": 0.5}),
)
CONVERSATIONS = some(
    instructions=WORDS,
    output_modalities=st.sampled_from([["audio"], ["text"]]),
    audio=some(input=INPUT, output=some(voice=WORDS, speed=st.floats(0.25, 1.5), format=FORMATS)),
    tools=st.lists(st.fixed_dictionaries({"type": st.just("function"), "name": WORDS}), max_size=2),
    tool_choice=st.sampled_from(["auto", "none"]),
    tracing=st.none() | st.just("auto"),
    max_output_tokens=st.integers(1, 4096) | st.just("inf"),
).map(lambda session: {"type": "realtime", **session})
TRANSCRIPTIONS = some(audio=some(input=INPUT), include=st.just(["item.input_audio_transcription.logprobs"])).map(
    lambda session: {"type": "transcription", **session}
)
CONTENT = {"user": "input_text", "system": "input_text", "assistant": "output_text"}


def pruned(value: Any) -> Any:
    """A value without the objects that hold nothing, which say nothing either."""
    if not isinstance(value, dict):
        return value
    return {key: inner for key, each in value.items() if (inner := pruned(each)) != {}}


@given(session=CONVERSATIONS | TRANSCRIPTIONS)
def test_a_session_comes_back_as_it_was_sent(session: dict[str, Any]) -> None:
    """A preview server that confirms the flat session it got is understood as the one that was meant."""
    event = {"type": "session.update", "event_id": "event_1", "session": session}
    before = copy.deepcopy(event)

    sent = to_preview(event)

    assert event == before
    assert sent["type"] in {"session.update", "transcription_session.update"}
    assert not {"type", "audio", "output_modalities", "max_output_tokens"} & sent["session"].keys()
    confirmed = {"type": sent["type"].replace("update", "updated"), "event_id": "event_2", "session": sent["session"]}
    understood = from_preview(json.loads(json.dumps(confirmed)))
    assert understood["type"] == "session.updated"
    assert pruned(understood["session"]) == pruned(session)


@given(role=st.sampled_from(sorted(CONTENT)), text=WORDS)
def test_an_item_comes_back_as_it_was_sent(role: str, text: str) -> None:
    """Only what the assistant says has other names in the preview protocol."""
    content = [{"type": CONTENT[role], "text": text}, {"type": "input_audio", "audio": "AAAA"}]
    event = {
        "type": "conversation.item.create",
        "item": {"id": "item_1", "type": "message", "role": role, "content": content},
    }

    sent = to_preview(event)

    assert sent["item"]["content"][0]["type"] == CONTENT[role].replace("output_", "")
    assert from_preview({"type": "conversation.item.created", "item": sent["item"]})["item"] == event["item"]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"output_modalities": ["text"]}, {"modalities": ["text"]}),
        ({"output_modalities": ["audio"]}, {"modalities": ["audio", "text"]}),
        ({"max_output_tokens": 7}, {"max_response_output_tokens": 7}),
        ({"audio": {"output": {"voice": "marin", "format": PCM}}}, {"voice": "marin", "output_audio_format": "pcm16"}),
        ({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, {"output_audio_format": "g711_ulaw"}),
        ({"audio": {"output": {"format": {"type": "audio/novel"}}}}, {"output_audio_format": "audio/novel"}),
        ({"conversation": "none", "metadata": {"a": "b"}}, {"conversation": "none", "metadata": {"a": "b"}}),
        (
            {"input": [{"role": "assistant", "content": [{"type": "output_text", "text": "x"}]}]},
            {"input": [{"role": "assistant", "content": [{"type": "text", "text": "x"}]}]},
        ),
    ],
)
def test_a_request_is_put_in_old_words(response: dict[str, Any], expected: dict[str, Any]) -> None:
    """`response.create` is flat in the preview protocol."""
    event = {"type": "response.create", "response": response}

    assert to_preview(event) == {"type": "response.create", "response": expected}


@pytest.mark.parametrize(("old", "current"), OLD.items())
def test_old_events_get_their_current_names(old: str, current: str) -> None:
    """A reader of the session's events meets the current protocol only."""
    event = {"type": old, "event_id": "event_1", "delta": "piece", "novelty": [1]}

    assert from_preview(event) == {**event, "type": current}
    assert current in KNOWN_TYPES | {"session.created", "session.updated"}


def test_a_response_is_put_in_current_words() -> None:
    """Its items and modalities, wherever they stand."""
    item = {"id": "i", "role": "assistant", "content": [{"type": "text", "text": "x"}, {"type": "audio"}, "odd", {}]}
    event = {
        "type": "response.done",
        "response": {"id": "r", "status": "completed", "modalities": ["audio", "text"], "output": [item, "odd"]},
    }

    content = [{"type": "output_text", "text": "x"}, {"type": "output_audio"}, "odd", {}]
    assert from_preview(event)["response"] == {
        "id": "r",
        "status": "completed",
        "output_modalities": ["audio"],
        "output": [{**item, "content": content}, "odd"],
    }


@pytest.mark.parametrize(
    ("flat", "current"),
    [
        ("pcm16", PCM),
        ("g711_ulaw", {"type": "audio/pcmu"}),
        ("g711_alaw", {"type": "audio/pcma"}),
        ("novelty", {"type": "novelty"}),
    ],
)
def test_formats_get_their_current_names(flat: str, current: dict[str, Any]) -> None:
    """Both directions of a session have one; a name that is unknown is kept."""
    session = {"id": "s", "input_audio_format": flat, "output_audio_format": flat}
    audio = from_preview({"type": "session.created", "session": session})["session"]["audio"]

    assert (audio["input"]["format"], audio["output"]["format"]) == (current, current)


@pytest.mark.parametrize("kind", sorted(set(CLIENT_EVENT_TYPES) - {"session.update"}))
def test_client_events_without_content_are_the_same(kind: str) -> None:
    """Nothing else differs between the two protocols."""
    event = {"type": kind, "event_id": "event_1", "audio": "AAAA", "item_id": "item_1"}

    assert to_preview(event) == event


@given(fields=OBJECTS, kind=WORDS.filter(lambda kind: kind not in OLD))
def test_unknown_events_are_left_alone(fields: dict[str, Any], kind: str) -> None:
    """What neither protocol knows passes in both directions, its fields untouched."""
    event = {key: value for key, value in fields.items() if key not in {"session", "item", "response"}}
    event["type"] = f"novelty.{kind}"
    before = repr(event)

    assert repr(from_preview(event)) == before
    assert to_preview(event) is event


@given(fields=OBJECTS, kind=st.sampled_from([*OLD, *sorted(KNOWN_TYPES), "session.created", "session.updated"]) | JSON)
def test_no_server_event_breaks_the_translation(fields: dict[str, Any], kind: Any) -> None:
    """Whatever stands where an object or a word should: no error, and the event that came is not changed."""
    event = {**fields, "type": kind}
    before = repr(event)
    from_preview(event)

    assert repr(event) == before


@given(fields=OBJECTS, kind=st.sampled_from(sorted(CLIENT_EVENT_TYPES)) | JSON)
def test_no_client_event_breaks_the_translation(fields: dict[str, Any], kind: Any) -> None:
    """A line of input that makes no sense is the endpoint's to refuse."""
    event = {**fields, "type": kind}
    before = repr(event)
    to_preview(event)

    assert repr(event) == before


@pytest.mark.parametrize("kind", ["transcription_session.created", "session.created", "session.updated"])
def test_a_transcription_session_is_known_by_its_object(kind: str) -> None:
    """Whatever the event is called, what is sent later names the right type of session."""
    session = {"object": "realtime.transcription_session", "input_audio_format": "pcm16", "turn_detection": None}

    event = from_preview({"type": kind, "session": session})

    assert event["session"] == {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "audio": {"input": {"format": PCM, "turn_detection": None}},
    }
    assert to_preview({"type": "session.update", "session": event["session"]})["type"] == "transcription_session.update"


@pytest.mark.parametrize("kind", ["session", "transcription_session"])
def test_unknown_fields_of_a_session_pass(kind: str) -> None:
    """In both directions, since new fields appear at any time."""
    fields = {"novelty": {"on": True}, "temperature": 0.8, "client_secret": None}

    understood = from_preview({"type": f"{kind}.updated", "session": fields})["session"]

    assert fields.items() <= understood.items()
    assert to_preview({"type": "session.update", "session": understood}) == {
        "type": f"{kind}.update",
        "session": fields,
    }
