"""Audio inside JSON, both ways."""

import json
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.client_events import InputAudioBufferAppend, SessionInputAudioBufferAppend
from runner.api.session_types import APPENDS, MAX_APPEND_BYTES
from runner.errors import IllegalEvent
from runner.protocol.audio_append import append_message, decoded


@given(st.binary(max_size=200))
def test_what_is_appended_is_the_event_of_the_api(audio: bytes) -> None:
    """The template of bytes is the JSON that the typed event would give, and its audio comes back as it was."""
    event = json.loads(append_message("event_000001", audio))

    assert InputAudioBufferAppend(**event).to_wire() == event
    assert decoded(event["audio"]) == audio
    translated = json.loads(append_message("event_000001", audio, APPENDS["translation"]))
    assert SessionInputAudioBufferAppend(**translated).to_wire() == translated
    assert {**translated, "type": event["type"]} == event


def test_samples_need_not_be_bytes() -> None:
    """Whatever holds bytes can be sent."""
    samples = array("h", [0, 1, -1])

    assert decoded(json.loads(append_message("e", memoryview(samples)))["audio"]) == samples.tobytes()


def test_more_than_the_api_takes_is_refused() -> None:
    """The bound counts bytes of audio, and the message says it."""
    most = MAX_APPEND_BYTES * 3 // 4

    assert len(append_message("e", bytes(most))) > MAX_APPEND_BYTES
    with pytest.raises(IllegalEvent, match=f"at most {most} bytes"):
        append_message("e", bytes(most + 1))


@pytest.mark.parametrize("text", ["AAA", "AA=A", "no base64!", "AAAA\n"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    """Nothing is made up for what cannot be decoded."""
    with pytest.raises(ValueError, match=r"."):
        decoded(text)
