"""What the user says, as it is written down: when it begins, when it ends, and why it failed."""

from typing import Any

import pytest

from runner.api.session_types import SessionType
from runner.errors import AccessRefused, EndpointUnreachable, ProtocolError
from runner.protocol.connection_end import end_connection
from runner.protocol.effects import TranscriptDelta, TranscriptionEnded, TranscriptionStarted, TurnEnded
from runner.protocol.receive import receive
from runner.protocol.state import SessionState

PREFIX = "conversation.item.input_audio_transcription"


def hearing(kind: SessionType = "transcription") -> SessionState:
    """A session that writes down what it hears."""
    state = SessionState(kind=kind)
    session = {"type": kind, "audio": {"input": {"transcription": {"model": "x"}}}}
    receive(state, {"type": "session.created", "session": session})
    receive(state, {"type": "session.updated", "session": session})
    return state


def committed(item_id: str) -> dict[str, Any]:
    """An `input_audio_buffer.committed`."""
    return {"type": "input_audio_buffer.committed", "item_id": item_id}


def test_a_turn_is_written_down_from_its_commit_to_its_end() -> None:
    """The turn is the user's though no item was announced, and an empty transcript ends without one."""
    state = hearing()

    assert receive(state, committed("a")) == [TranscriptionStarted("a")]
    assert receive(state, {"type": f"{PREFIX}.delta", "item_id": "a", "delta": "hi"}) == [TranscriptDelta("a", "hi")]
    assert receive(state, {"type": f"{PREFIX}.completed", "item_id": "a", "transcript": "hi"}) == [
        TurnEnded("user", "hi", "a", "completed"),
        TranscriptionEnded("a"),
    ]
    receive(state, committed("b"))
    assert receive(state, {"type": f"{PREFIX}.completed", "item_id": "b", "transcript": ""}) == [
        TranscriptionEnded("b")
    ]
    assert not state.is_pending


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ({"message": "no\nspeech"}, ProtocolError, "the transcription failed: no speech"),
        ({"code": "audio_unintelligible"}, ProtocolError, "the transcription failed: audio_unintelligible"),
        ({"code": "insufficient_quota", "message": "broke"}, AccessRefused, "the transcription failed: broke"),
        (None, ProtocolError, "the transcription failed: the endpoint gives no reason"),
    ],
)
def test_a_failure_has_the_endpoints_reason(error: Any, kind: type[Exception], message: str) -> None:
    """As far as it gives one, on one line."""
    state = hearing()
    receive(state, committed("a"))

    (ended,) = receive(state, {"type": f"{PREFIX}.failed", "item_id": "a", "error": error})

    assert isinstance(ended, TranscriptionEnded)
    assert type(ended.error) is kind
    assert str(ended.error) == message
    assert not state.is_pending


def test_a_lost_connection_fails_what_it_was_to_write_down() -> None:
    """Only where that is what the session is for."""
    transcribing, conversing = hearing(), hearing("realtime")
    for state in (transcribing, conversing):
        receive(state, committed("a"))

    (ended,) = end_connection(transcribing)

    assert isinstance(ended, TranscriptionEnded)
    assert isinstance(ended.error, EndpointUnreachable)
    assert end_connection(conversing) == []


def test_a_deleted_item_is_written_down_no_more() -> None:
    """Nothing is pending that will not come."""
    state = hearing()
    receive(state, committed("a"))

    assert receive(state, {"type": "conversation.item.deleted", "item_id": "a"}) == [TranscriptionEnded("a")]
    assert receive(state, {"type": "conversation.item.deleted", "item_id": "b"}) == []
