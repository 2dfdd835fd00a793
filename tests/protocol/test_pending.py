"""What is pending: everything that is still to come, and nothing that cannot come."""

from typing import Any

import pytest

from runner.protocol.connection_end import end_connection
from runner.protocol.effects import ErrorReported, ResponseEnded, ResponseRetried, TurnEnded
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
        end_connection(state)
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
    receive(state, {"type": "response.done", "response": {"id": []}})
    assert not state.is_pending


ACTIVE = "conversation_already_has_active_response"
OWN = {"type": "response.created", "response": {"id": "resp_own"}}


def overtaken(cause: str = "") -> dict[str, Any]:
    """The refusal of a request that came while another response was in flight."""
    return {"type": "error", "error": {"type": "x", "code": ACTIVE, "message": "no", "event_id": cause or None}}


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("begins_first", [True, False])
def test_a_request_that_another_response_has_overtaken_is_sent_again_after_it(
    is_named: bool, begins_first: bool
) -> None:
    """In whatever order the two events come, and whether or not the refusal names the request."""
    state = hearing(None)
    sent = state.send({"type": "response.create"})
    refused = overtaken(sent["event_id"] if is_named else "")
    for event in (OWN, refused) if begins_first else (refused, OWN):
        effects = receive(state, event)
        if event is refused:
            assert [each.request_id for each in effects if isinstance(each, ResponseRetried)] == [sent["event_id"]]

    assert [each.first_id for each in state.retries] == [sent["event_id"]]
    in_the_way = [state.occupied]
    ends = [each for each in receive(state, done("resp_own", "something else")) if isinstance(each, ResponseEnded)]
    assert [each.request_id for each in ends] == [""]
    assert [*in_the_way, state.occupied] == [True, False]

    again = state.send(state.retries[0].event)
    assert again["event_id"] != sent["event_id"]
    receive(state, created("resp_2"))
    ends = [each for each in receive(state, done("resp_2")) if isinstance(each, ResponseEnded)]
    assert [each.request_id for each in ends] == [sent["event_id"]]
    assert not state.is_pending


def test_a_request_that_is_overtaken_without_end_is_given_up() -> None:
    """After ten responses in a row that were not its own."""
    state = hearing(None)
    sent = state.send({"type": "response.create"})
    for _ in range(10):
        receive(state, overtaken())
        state.send(state.retries[0].event)
    effects = receive(state, overtaken())

    assert [each.status for each in effects if isinstance(each, ResponseEnded)] == ["refused"]
    assert [each.request_id for each in effects if isinstance(each, ResponseEnded)] == [sent["event_id"]]
    assert not state.is_pending


def test_the_refusal_of_the_response_to_a_turn_takes_no_other_away() -> None:
    """Turn detection asks by itself, and its request has no name."""
    state = hearing()
    state.send({"type": "response.create"})
    receive(state, created())
    for event in (STARTED, STOPPED, COMMITTED, overtaken()):
        receive(state, event)

    assert state.retries == ()
    assert [each.request_id for each in receive(state, done()) if isinstance(each, ResponseEnded)] != [""]
    assert not state.is_pending


def test_a_refusal_without_a_name_takes_no_answer_away_of_which_something_came() -> None:
    """It is the endpoint's own doing, and the answer goes on."""
    state = hearing(None)
    state.send({"type": "response.create"})
    receive(state, created())
    where = {"response_id": "resp_1", "item_id": "item_resp_1", "content_index": 0}
    receive(state, {"type": "response.output_text.delta", **where, "delta": "sa"})
    receive(state, overtaken())

    assert state.retries == ()
    assert turns(state, done()) == ["said"]


def asking(state: SessionState, text: str) -> tuple[str, str]:
    """Ask a question; returns the ids of its two client events."""
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    question = state.send({"type": "conversation.item.create", "item": item})
    return question["event_id"], state.send({"type": "response.create"})["event_id"]


@pytest.mark.parametrize("param", [None, "item.content[0].text", "item"])
def test_an_error_without_a_name_for_an_item_leaves_the_request_behind_it(param: str | None) -> None:
    """Events are dealt with in their order: the answer still comes, and is not taken for the next one's."""
    state = hearing(None)
    question_id, request_id = asking(state, "one")
    error = {"type": "x", "message": "no", "event_id": None, "param": param}
    effects = receive(state, {"type": "error", "error": error})

    assert [each.client_event_id for each in effects if isinstance(each, ErrorReported)] == [question_id]
    assert state.conversation.items == ()
    assert state.requested_by == request_id
    ended = [*receive(state, created()), *receive(state, done())]
    assert [each.request_id for each in ended if isinstance(each, ResponseEnded)] == [request_id]

    _, next_id = asking(state, "two")
    ended = [*receive(state, created("resp_2")), *receive(state, done("resp_2"))]
    assert [each.request_id for each in ended if isinstance(each, ResponseEnded)] == [next_id]


def test_a_request_is_in_doubt_where_nobody_knows_whether_items_are_confirmed() -> None:
    """An error without a name may have been its refusal: its response, or time, will tell."""
    state = hearing(None)
    _, request_id = asking(state, "one")
    receive(state, refusal())
    doubts = [state.pending.is_doubted]
    refused = state.pending.refuse_doubted()
    assert refused is not None
    assert (refused[0].first_id, refused[1].message) == (request_id, "no")
    assert not state.is_pending

    asking(state, "two")
    receive(state, refusal())
    doubts.append(state.pending.is_doubted)
    receive(state, created())
    assert [*doubts, state.pending.is_doubted] == [True, True, False]
    assert state.pending.refuse_doubted() is None


def test_an_endpoint_that_confirms_no_items_refuses_requests() -> None:
    """Where an answer has come before its question was confirmed, an error without a name is about the request."""
    state = hearing(None)
    asking(state, "one")
    receive(state, created())
    receive(state, done())
    _, request_id = asking(state, "two")
    effects = receive(state, refusal())

    assert [each.request_id for each in effects if isinstance(each, ResponseEnded)] == [request_id]
    assert not state.is_pending


def test_an_error_that_names_what_it_is_about_is_not_about_the_item() -> None:
    """Its `param` says so."""
    state = hearing(None)
    _, request_id = asking(state, "one")
    error = {"type": "x", "message": "no", "event_id": None, "param": "response.output_modalities"}
    effects = receive(state, {"type": "error", "error": error})

    assert [each.request_id for each in effects if isinstance(each, ResponseEnded)] == [request_id]
