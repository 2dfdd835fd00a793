"""Lines of a journal: what goes in comes out, except audio where that is asked for, and secrets always."""

import base64
import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import redaction
from runner.journal.record import Record, audio_bytes, line, parsed, restored
from runner.redaction import MASK
from tests.helpers.log_capture import log_restored

SOUND = bytes(range(256)) * 4
AUDIO = base64.b64encode(SOUND).decode()
REDUCED = {"bytes": 1024, "sha256": sha256(SOUND).hexdigest()[:16]}
SECRET = 'horse "battery" \\ stäple'
KEYS = st.text(st.characters()).map(lambda text: f"a {text}")
"""Names that mean nothing."""
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.builds(
    Record,
    st.floats(0, 1e10),
    st.sampled_from(("in", "out", "note")),
    st.integers(0, 1 << 31),
    st.dictionaries(KEYS, JSON, max_size=6),
)


@pytest.fixture(autouse=True)
def _hidden_words() -> Iterator[None]:
    """Leave no hidden word behind."""
    with log_restored():
        yield


def written(event: dict[str, Any], *, audio: Any = "hash") -> Any:
    """The event as it stands in the journal."""
    return json.loads(line(Record(1.5, "in", 1, event), audio=audio))["event"]


@given(RECORDS)
def test_a_record_survives_its_line(record: Record) -> None:
    """With audio kept, reading a line gives the record that was written, and a line is one line of UTF-8."""
    text = line(record, audio="keep")

    assert parsed(text.encode()) == record
    assert "\n" not in text


@pytest.mark.parametrize(
    ("event", "place"),
    [
        ({"type": "input_audio_buffer.append", "audio": AUDIO}, ("audio",)),
        ({"type": "session.input_audio_buffer.append", "audio": AUDIO}, ("audio",)),
        ({"type": "response.output_audio.delta", "delta": AUDIO}, ("delta",)),
        ({"type": "response.audio.delta", "delta": AUDIO}, ("delta",)),
        ({"type": "session.output_audio.delta", "delta": AUDIO}, ("delta",)),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "message", "content": [{"type": "input_audio", "audio": AUDIO}]},
            },
            ("item", "content", 0, "audio"),
        ),
        (
            {"type": "response.done", "response": {"output": [{"type": "output_audio", "audio": AUDIO}]}},
            ("response", "output", 0, "audio"),
        ),
    ],
)
def test_audio_is_reduced_wherever_it_stands(event: dict[str, Any], place: tuple[str | int, ...]) -> None:
    """Its length and a hash remain, or all of it on request; what stands beside it is not touched."""
    reduced, kept, after = written(event), written(event, audio="keep"), restored(written(event), lambda n: "A" * n)
    for key in place:
        reduced, kept, after = reduced[key], kept[key], after[key]

    assert reduced == REDUCED
    assert kept == AUDIO
    assert after == "A" * 1024
    assert audio_bytes(reduced) == audio_bytes(kept) == 1024
    assert AUDIO not in line(Record(0, "in", 1, event), audio="hash")


def test_only_audio_is_taken_for_audio() -> None:
    """A configuration, a null and a text delta stay as they are."""
    for event in (
        {"type": "session.update", "session": {"audio": {"output": {"voice": "marin"}}, "modalities": ["audio"]}},
        {"type": "conversation.item.added", "item": {"content": [{"type": "output_audio", "audio": None}]}},
        {"type": "response.output_text.delta", "delta": "AAAA"},
        {"type": ["odd"], "audio": AUDIO},
    ):
        assert written(event) == event


def test_audio_that_is_no_base64_is_reduced_too() -> None:
    """It may be audio that was cut short."""
    assert written({"type": "response.output_audio.delta", "delta": "no base64!"})["delta"]["bytes"] == 10


@pytest.mark.parametrize("audio", ["hash", "keep"])
def test_secrets_are_masked_by_their_keys(audio: str) -> None:
    """Whatever lies under such a key is masked, and an address loses what may hold a credential."""
    tool = {
        "type": "mcp",
        "server_label": "stock",
        "server_url": "https://me:word@example.com/mcp?key=word#word",
        "authorization": "word",
        "headers": {"X-Api-Key": "word", "X-More": ["word", {"deep": "word"}]},
    }
    session = {"tools": [tool], "client_secret": {"value": "word", "expires_at": 7}, "API-Key": "word"}

    found = written({"type": "session.update", "session": session}, audio=audio)["session"]

    assert "word" not in json.dumps(found)
    assert found["tools"][0]["server_url"] == f"https://{MASK}example.com/mcp?{MASK}"
    assert found["tools"][0]["headers"]["X-Api-Key"] == MASK
    assert found["client_secret"] == {"value": MASK, "expires_at": 7}
    assert found["tools"][0]["server_label"] == "stock"


def test_hidden_words_are_masked_wherever_they_stand() -> None:
    """Also where JSON writes them with escapes, inside JSON in a string, and in keys."""
    redaction.hide(SECRET)
    event = {"type": "x", "text": f"it is {SECRET}!", "arguments": json.dumps({"a": SECRET}), SECRET: 1}

    found = written(event)

    assert found == {"type": "x", "text": f"it is {MASK}!", "arguments": f'{{"a": "{MASK}"}}', MASK: 1}


def test_a_hidden_word_does_not_spoil_audio() -> None:
    """Short words occur in base64 by chance."""
    redaction.hide("BAUG")

    assert "BAUG" in AUDIO
    assert written({"type": "input_audio_buffer.append", "audio": AUDIO}, audio="keep")["audio"] == AUDIO


def test_numbers_that_json_lacks_are_null() -> None:
    """A line is always JSON."""
    assert written({"a": float("nan"), "b": [float("inf")]}) == {"a": None, "b": [None]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "null",
        "{}",
        '{"at_s":1,"direction":"in","epoch":1}',
        '{"at_s":1,"direction":"up","epoch":1,"event":{}}',
        '{"at_s":1,"direction":"in","epoch":-1,"event":{}}',
        '{"at_s":"1","direction":"in","epoch":1,"event":{}}',
        '{"at_s":1,"direction":"in","epoch":1,"event":{"type":"x"}',
        "[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_record_is_refused(text: str | bytes) -> None:
    """The message is a few plain words."""
    with pytest.raises(ValueError, match=r"^not (JSON|a record of a journal)$"):
        parsed(text)
