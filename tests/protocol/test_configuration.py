"""The configuration that behaviour goes by: what was asked for, where the endpoint shows nothing else."""

from typing import Any

import pytest

from runner.protocol.drift import differences
from runner.protocol.receive import receive
from runner.protocol.state import SessionState

VAD = {"type": "server_vad", "create_response": False, "interrupt_response": False}
MU_LAW = {"format": {"type": "audio/pcmu"}, "turn_detection": VAD, "transcription": {"model": "whisper-1"}}
ASKED = {"type": "realtime", "audio": {"input": MU_LAW, "output": {"format": {"type": "audio/pcma"}}}}


def configured(shown: dict[str, Any], asked: dict[str, Any] | None = None) -> SessionState:
    """A session whose endpoint has answered `asked` with a `session.updated` that shows this."""
    state = SessionState()
    receive(state, {"type": "session.created", "session": {"id": "sess_1"}})
    state.send({"type": "session.update", "session": ASKED if asked is None else asked})
    receive(state, {"type": "session.updated", "session": shown})
    return state


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"type": None, "audio": None},
        {"audio": {}},
        {"audio": {"input": {}, "output": {"format": None}}},
        {"type": "realtime", "audio": {"output": {"voice": "x"}}},
    ],
    ids=["nothing", "null", "empty", "no input", "only the voice"],
)
def test_what_the_endpoint_does_not_show_is_as_it_was_asked_for(shown: dict[str, Any]) -> None:
    """Not as the API's default is: formats, turn detection and transcription."""
    configuration = configured(shown).configuration

    assert configuration.input_format.encoding == "audio/pcmu"
    assert configuration.output_format.encoding == "audio/pcma"
    assert (configuration.detects_turns, configuration.answers_turns, configuration.interrupts) == (True, False, False)
    assert configuration.hearing["transcription"] == {"model": "whisper-1"}


def test_what_the_endpoint_shows_holds() -> None:
    """Also where it is not what was asked for."""
    shown = {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": None}}}
    configuration = configured(shown).configuration

    assert configuration.input_format.encoding == "audio/pcm"
    assert not configuration.detects_turns
    assert configuration.output_format.encoding == "audio/pcma"


def test_a_transcription_answers_no_turns_though_the_endpoint_names_no_type() -> None:
    """Its kind is as it was asked for."""
    state = configured({}, {"type": "transcription", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}})

    assert state.configuration.detects_turns
    assert not state.configuration.answers_turns


def test_a_later_update_goes_over_what_an_earlier_one_asked_for() -> None:
    """And one that was refused leaves no trace."""
    state = configured({})
    state.send({"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}})
    states = [state.configuration.detects_turns]
    receive(state, {"type": "session.updated", "session": {}})
    states.append(state.configuration.detects_turns)

    sent = state.send({"type": "session.update", "session": {"audio": {"input": {"turn_detection": VAD}}}})
    receive(state, {"type": "error", "error": {"type": "x", "message": "no", "event_id": sent["event_id"]}})
    receive(state, {"type": "session.updated", "session": {}})
    assert [*states, state.configuration.detects_turns] == [True, False, False]


def test_drift_is_judged_by_what_the_endpoint_shows() -> None:
    """What it leaves out is reported, however the session behaves."""
    state = configured({"type": "realtime"})

    assert [each.path for each in differences(ASKED, state.configuration.reported)] == ["audio"]
    assert differences(ASKED, state.effective) == []
