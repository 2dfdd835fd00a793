"""The formats of audio that an endpoint reports."""

from typing import Any

import pytest

from runner.protocol.drift import differences
from runner.protocol.receive import receive
from runner.protocol.session_format import format_of, format_problem
from runner.protocol.side_fields import FieldUnreadable
from runner.protocol.state import SessionState


def session(form: Any) -> dict[str, Any]:
    """A session object with this format in both directions."""
    return {"audio": {"input": {"format": form}, "output": {"format": form}}}


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 24_000.0, 44_100, 48_000, 192_000])
def test_a_rate_that_audio_has_is_believed(rate: float) -> None:
    """With a fraction of nothing too."""
    form = session({"type": "audio/pcm", "rate": rate})

    assert format_of(form, "input").rate == rate
    assert type(format_of(form, "input").rate) is int
    assert format_problem(form, "output") == ""
    assert differences({}, form) == []


@pytest.mark.parametrize(
    "rate",
    [0, 1, 49, 7_999, 192_001, 1e9, 10**12, 10**400, -8_000, 8_000.5, float("nan"), float("inf"), "8000", True, []],
)
def test_a_rate_that_no_audio_has_is_not_believed_and_is_drift(rate: Any) -> None:
    """Its memory would be the runner's."""
    form = session({"type": "audio/pcm", "rate": rate})

    assert format_of(form, "input").rate == format_of(form, "output").rate == 24_000
    assert [each.path for each in differences({}, form)] == ["audio.input.format.rate", "audio.output.format.rate"]
    assert [each.path for each in differences(session({"type": "audio/pcm", "rate": 24_000}), form)] == [
        "audio.input.format.rate",
        "audio.output.format.rate",
    ]


def test_a_rate_that_changes_in_mid_session_is_not_believed_either() -> None:
    """And it is reported."""
    state = SessionState()
    receive(state, {"type": "session.created", "session": {}})

    effects = receive(state, {"type": "session.updated", "session": session({"type": "audio/pcm", "rate": 1e9})})

    assert FieldUnreadable("session.updated", "`audio.output.format.rate` is not from 8000 to 192000") in effects
    assert state.configuration.output_format.rate == 24_000


@pytest.mark.parametrize("form", [{"type": "audio/opus"}, "mp3", {"type": 5}, 5])
def test_a_format_that_is_unknown_is_reported(form: Any) -> None:
    """It is read as PCM of 24 kHz, which is a guess."""
    assert format_of(session(form), "output").encoding == "audio/pcm"
    assert format_problem(session(form), "output") == "`audio.output.format` is no format of the API"


@pytest.mark.parametrize("name", ["pcm16", "g711_ulaw", "g711_alaw"])
def test_the_session_of_the_preview_protocol_is_understood(name: str) -> None:
    """Whichever protocol the endpoint is spoken to in."""
    flat = {
        "id": "s",
        "modalities": ["audio", "text"],
        "output_audio_format": name,
        "turn_detection": {"type": "server_vad"},
    }
    state = SessionState()
    effects = receive(state, {"type": "session.created", "session": flat})

    assert not any(isinstance(each, FieldUnreadable) for each in effects)
    assert state.configuration.detects_turns
    assert state.effective["output_modalities"] == ["audio"]
    assert state.configuration.output_format == format_of(flat, "output")
