"""What is pending: everything that is still to come, and nothing that cannot come."""

from typing import Any

import pytest

from runner.protocol.effects import ResponseEnded, TurnEnded
from runner.protocol.receive import receive
from runner.protocol.state import SessionState

ASIDE = {"type": "response.create", "response": {"conversation": "none"}}
STARTED, STOPPED = {"type": "input_audio_buffer.speech_started"}, {"type": "input_audio_buffer.speech_stopped"}
COMMITTED = {"type": "input_audio_buffer.committed", "item_id": "item_u"}
VAD = {"type": "server_vad"}
ERROR = {"type": "error", "error": {"type": "x", "message": "no"}}


def hearing(detection: dict[str, Any] | None = VAD, *, kind: str = "realtime", **heard: Any) -> SessionState:
    """A session that is configured to listen like this."""
    state = SessionState()
    audio = {"input": {"turn_detection": detection, **heard}}
    receive(state, {"type": "session.updated", "session": {"type": kind, "audio": audio}})
    return state


def created(response_id: str = "resp_1", **fields: Any) -> dict[str, Any]:
    """A `response.created`."""
    return {"type": "response.created", "response": {"id": response_id, **fields}}


def done(response_id: str = "resp_1", text: str = "said", **fields: Any) -> dict[str, Any]:
    """A `response.done` with one item."""
    content = [{"type": "output_text", "text": text}]
    item = {"id": f"item_{response_id}", "type": "message", "role": "assistant", "content": content}
    return {
        "type": "response.done",
        "response": {"id": response_id, "status": "completed", "output": [item], **fields},
    }


def refusal(cause: str = "") -> dict[str, Any]:
    """An `error` event, with its cause or without."""
    return {"type": "error", "error": {"type": "x", "message": "no", "event_id": cause or None}}


def turns(state: SessionState, event: dict[str, Any]) -> list[str]:
    """What an event ends of the conversation."""
    return [each.text for each in receive(state, event) if isinstance(each, TurnEnded)]


@pytest.mark.parametrize("field", [{}, {"conversation_id": None}, {"conversation_id": "conv_1"}])
def test_a_response_out_of_band_is_pending_from_its_request_to_its_end(field: dict[str, Any]) -> None:
    """Whatever the server says of its conversation: it blocks nothing and leaves nothing behind."""
    state = hearing(None)

    state.send(ASIDE)
    assert (state.is_pending, state.busy) == (True, False)
    receive(state, created(**field))
    assert (state.is_pending, state.busy) == (True, False)
    assert turns(state, done(**field)) == []
    assert (state.is_pending, state.conversation.items) == (False, ())


@pytest.mark.parametrize("field", [{}, {"conversation_id": None}])
def test_requests_are_matched_in_their_order(field: dict[str, Any]) -> None:
    """A server that does not distinguish the two kinds answers them in the order in which they were asked for."""
    state = hearing(None)
    state.send({"type": "response.create"})
    receive(state, created("resp_1", **field))
    state.send(ASIDE)
    receive(state, created("resp_2", **field))

    assert turns(state, done("resp_2", "aside", **field)) == []
    assert state.busy
    assert turns(state, done("resp_1", "answer", **field)) == ["answer"]
    assert not state.is_pending


def test_the_conversation_that_is_named_decides_where_there_is_a_choice() -> None:
    """An aside that begins first does not pass for the answer."""
    state = hearing(None)
    state.send({"type": "response.create"})
    state.send(ASIDE)

    receive(state, created("resp_2", conversation_id=None))
    assert state.requested_by
    receive(state, created("resp_1", conversation_id="conv_1"))
    assert turns(state, done("resp_1", "answer")) == ["answer"]
    assert turns(state, done("resp_2", "aside")) == []
    assert not state.is_pending


def test_a_refused_request_out_of_band_is_over() -> None:
    """With its cause, or without where it is the only one that can be meant."""
    state = hearing(None)
    for cause in (True, False):
        sent = state.send(ASIDE)
        effects = receive(state, refusal(sent["event_id"] if cause else ""))

        assert [each.status for each in effects if isinstance(each, ResponseEnded)] == ["refused"]
        assert not state.is_pending


def test_what_somebody_says_is_pending_until_it_is_answered() -> None:
    """From the first sound to the end of the response that turn detection makes."""
    state = hearing()
    for event in (STARTED, STOPPED, COMMITTED, created()):
        assert receive(state, event) is not None
        assert state.is_pending
    receive(state, done())
    assert not state.is_pending


@pytest.mark.parametrize(
    "detection", [{"type": "server_vad", "create_response": True}, {"type": "semantic_vad", "create_response": None}]
)
@pytest.mark.parametrize("event", [STOPPED, COMMITTED])
def test_turn_detection_makes_a_response_pending(event: dict[str, Any], detection: dict[str, Any]) -> None:
    """Either of its two events, whichever a server sends."""
    state = hearing(detection)
    receive(state, event)
    assert state.is_pending
    receive(state, created())
    receive(state, done())
    assert not state.is_pending


@pytest.mark.parametrize(
    "state",
    [hearing(None), hearing({"type": "server_vad", "create_response": False}), hearing(VAD, kind="transcription")],
    ids=["off", "without a response", "transcription"],
)
def test_a_turn_without_a_response_makes_nothing_pending(state: SessionState) -> None:
    """Only what is going to come is waited for."""
    for event in (STARTED, STOPPED, COMMITTED):
        receive(state, event)
        assert state.is_pending == (event is STARTED and state.configuration.detects_turns)


def test_a_turn_that_is_written_down_is_pending_until_then() -> None:
    """Between the end of speech and its commit too."""
    state = hearing(VAD, kind="transcription", transcription={"model": "x"})
    for event in (STARTED, STOPPED, COMMITTED):
        receive(state, event)
        assert state.is_pending
    kind = "conversation.item.input_audio_transcription.completed"
    receive(state, {"type": kind, "item_id": "item_u", "content_index": 0, "transcript": "hi"})
    assert not state.is_pending


def test_a_commit_makes_no_response_pending() -> None:
    """Only turn detection makes one."""
    state = hearing()
    receive(state, STARTED)
    state.send({"type": "input_audio_buffer.commit"})
    receive(state, COMMITTED)

    assert not state.is_pending


def test_our_commit_that_comes_too_late_takes_no_promise_away() -> None:
    """Turn detection was first: its commit is announced, ours is refused, the answer still comes."""
    state = hearing()
    receive(state, STARTED)
    sent = state.send({"type": "input_audio_buffer.commit"})
    for event in (STOPPED, COMMITTED, refusal(sent["event_id"])):
        receive(state, event)
        assert state.is_pending
    receive(state, created())
    receive(state, done())
    assert not state.is_pending


def test_a_response_that_was_asked_for_may_be_the_promised_one() -> None:
    """Both at once: one is made, the other is refused and no longer pending."""
    state = hearing()
    receive(state, COMMITTED)
    sent = state.send({"type": "response.create"})
    receive(state, created())

    effects = receive(state, refusal(sent["event_id"]))

    assert [each.status for each in effects if isinstance(each, ResponseEnded)] == ["refused"]
    assert state.busy
    receive(state, done())
    assert not state.is_pending


@pytest.mark.parametrize("before", [[STARTED], [STARTED, STOPPED]])
@pytest.mark.parametrize(
    "ending",
    [
        ERROR,
        {"type": "input_audio_buffer.cleared"},
        {"type": "session.updated", "session": {"audio": {"input": {"turn_detection": None}}}},
        None,
    ],
    ids=["error", "cleared", "turn detection off", "close"],
)
def test_no_turn_is_waited_for_in_vain(before: list[dict[str, Any]], ending: dict[str, Any] | None) -> None:
    """What ends it without a commit."""
    state = hearing()
    for event in before:
        receive(state, event)
    assert state.is_pending

    if ending is None:
        state.close()
    else:
        receive(state, ending)

    assert not state.is_pending


def test_a_cleared_buffer_takes_back_nothing_that_was_committed() -> None:
    """The response to it still comes, or an error."""
    state = hearing()
    receive(state, COMMITTED)
    receive(state, {"type": "input_audio_buffer.cleared"})
    assert state.is_pending

    receive(state, ERROR)
    assert not state.is_pending


def test_an_answer_that_comes_after_an_error_without_a_cause_counts() -> None:
    """The error was about something else: the conversation is busy again until the answer is over."""
    state = hearing(None)
    state.send({"type": "response.create"})
    receive(state, ERROR)
    assert not state.is_pending

    receive(state, created())

    assert state.busy
    assert turns(state, done(text="late")) == ["late"]
    assert not state.is_pending


@pytest.mark.parametrize("refused", [True, False])
def test_a_late_answer_does_not_collide_with_the_next_request(refused: bool) -> None:
    """Asked again after an error without a cause: whichever of the two is refused or answered, both come to an end."""
    state = hearing(None)
    state.send({"type": "response.create"})
    receive(state, ERROR)
    again = state.send({"type": "response.create"})
    receive(state, created("resp_1"))

    if refused:
        effects = receive(state, refusal(again["event_id"]))
        assert [each.status for each in effects if isinstance(each, ResponseEnded)] == ["refused"]
    else:
        receive(state, created("resp_2"))
        assert turns(state, done("resp_2", "second")) == ["second"]
    assert state.busy
    assert turns(state, done("resp_1", "first")) == ["first"]
    assert not state.is_pending


def test_an_error_long_after_the_answer_began_does_not_refuse_it() -> None:
    """Without a doubt about the answer, an error that names its request ends nothing."""
    state = hearing(None)
    sent = state.send({"type": "response.create"})
    receive(state, created())

    assert not [each for each in receive(state, refusal(sent["event_id"])) if isinstance(each, ResponseEnded)]
    assert state.busy


@pytest.mark.parametrize("error", [None, {}, {"message": 5}, {"message": "no", "param": []}])
def test_an_unreadable_error_is_an_answer_too(error: Any) -> None:
    """A request that was refused in words that make no sense must not block the conversation for ever."""
    state = hearing()
    state.send({"type": "response.create"})
    receive(state, STARTED)

    effects = receive(state, {"type": "error", "error": error})

    assert [each.status for each in effects if isinstance(each, ResponseEnded)] == ["refused"]
    assert not state.is_pending


def test_an_unreadable_end_of_one_response_leaves_the_other() -> None:
    """Where its id can be read; without one, all are over."""
    state = hearing(None)
    state.send({"type": "response.create"})
    receive(state, created("resp_1"))
    state.send(ASIDE)
    receive(state, created("resp_2"))

    receive(state, {"type": "response.done", "response": {"id": "resp_2", "status": 5}})
    assert ([*state.pending.active], [*state.pending.out_of_band]) == (["resp_1"], [])
    receive(state, {"type": "response.done", "response": {"id": 5}})
    assert not state.is_pending
