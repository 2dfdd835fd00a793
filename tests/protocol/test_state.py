"""The state machine: events in, meaning out, without a network."""

import time
from typing import Any

import pytest

from runner.errors import AccessRefused, EndpointBusy, IllegalEvent, ProtocolError
from runner.protocol.connection_end import end_connection
from runner.protocol.effects import (
    Configured,
    ErrorReported,
    Opened,
    ResponseEnded,
    ResponseStarted,
    TextDelta,
    TranscriptionEnded,
    TurnEnded,
)
from runner.protocol.receive import receive
from runner.protocol.state import SessionState
from runner.protocol.unread_events import EventMalformed, EventUnknown

CREATED = {"type": "session.created", "session": {"id": "sess_1", "expires_at": 1234}}
DELTA: dict[str, Any] = {
    "type": "response.output_text.delta",
    "response_id": "resp_1",
    "item_id": "item_1",
    "content_index": 0,
}


def ready() -> SessionState:
    """A state that is open and configured."""
    state = SessionState()
    receive(state, CREATED)
    state.send({"type": "session.update", "session": {"type": "realtime"}})
    receive(state, {"type": "session.updated", "session": {"type": "realtime", "id": "sess_1"}})
    return state


def created(response_id: str = "resp_1", **fields: Any) -> dict[str, Any]:
    """A `response.created`."""
    return {"type": "response.created", "response": {"id": response_id, "conversation_id": "conv_1", **fields}}


def done(response_id: str = "resp_1", **fields: Any) -> dict[str, Any]:
    """A `response.done`."""
    response = {"id": response_id, "status": "completed", "conversation_id": "conv_1", **fields}
    return {"type": "response.done", "response": response}


def test_a_session_is_ready_once_its_configuration_is_confirmed() -> None:
    """Greeting, update and confirmation lead from connecting to ready."""
    state = SessionState()

    phases: list[str] = [state.phase]
    assert receive(state, CREATED) == [Opened("sess_1", 1234)]
    state.send({"type": "session.update", "session": {"type": "realtime"}})
    phases.append(state.phase)
    assert receive(state, {"type": "session.updated", "session": {"type": "realtime"}}) == [
        Configured({"type": "realtime"})
    ]
    assert [*phases, state.phase] == ["connecting", "configuring", "ready"]
    assert state.expires_at == 1234


def test_a_client_event_gets_an_id_unless_it_has_one() -> None:
    """Ids are ours where the caller gave none, and the event itself is not changed."""
    state = ready()
    event = {"type": "input_audio_buffer.clear"}

    sent = state.send(event)

    assert sent["event_id"].startswith("event_")
    assert "event_id" not in event
    assert state.send({**event, "event_id": "mine"})["event_id"] == "mine"


def test_a_second_response_is_refused_while_one_is_in_flight() -> None:
    """One response in flight, from the request on, not only from its confirmation."""
    state = ready()
    state.send({"type": "response.create"})

    with pytest.raises(IllegalEvent):
        state.send({"type": "response.create"})
    receive(state, created())
    with pytest.raises(IllegalEvent):
        state.send({"type": "response.create"})
    receive(state, done())

    assert not state.busy
    state.send({"type": "response.create"})


def test_a_response_out_of_band_may_run_beside_another() -> None:
    """`conversation = "none"` neither waits nor blocks, and its text never joins the conversation."""
    state = ready()
    state.send({"type": "response.create"})
    receive(state, created())

    request = state.send({"type": "response.create", "response": {"conversation": "none"}})
    aside = {"id": "resp_2", "conversation_id": None}
    assert receive(state, {"type": "response.created", "response": aside}) == [
        ResponseStarted("resp_2", request["event_id"])
    ]
    assert receive(state, {**DELTA, "response_id": "resp_2", "item_id": "item_2", "delta": "x"}) == [
        TextDelta("resp_2", "item_2", "x")
    ]
    item = {"id": "item_2", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]}
    receive(state, {"type": "response.output_item.done", "response_id": "resp_2", "item": item})
    receive(state, {"type": "response.done", "response": {**aside, "status": "completed", "output": [item]}})

    assert state.busy
    assert [each.id for each in state.conversation.items] == []


def test_nothing_can_be_sent_after_the_end() -> None:
    """A closed session refuses every client event."""
    state = ready()
    end_connection(state)

    with pytest.raises(IllegalEvent, match="closed"):
        state.send({"type": "response.cancel"})


def test_a_turn_is_announced_once_though_three_events_end_it() -> None:
    """Item done, output item done and response done all carry the turn; it is one turn."""
    state = ready()
    state.send({"type": "response.create"})
    receive(state, created())
    receive(state, {**DELTA, "delta": "Hel"})
    receive(state, {**DELTA, "delta": "lo"})
    item: dict[str, Any] = {"id": "item_1", "type": "message", "role": "assistant", "status": "completed"}
    item |= {"content": [{"type": "output_text", "text": "Hello"}]}

    effects = [
        *receive(state, {"type": "conversation.item.done", "item": item}),
        *receive(state, {"type": "response.output_item.done", "response_id": "resp_1", "item": item}),
        *receive(state, done(output=[item])),
    ]

    assert [each for each in effects if isinstance(each, TurnEnded)] == [
        TurnEnded("assistant", "Hello", "item_1", "completed")
    ]


def test_what_was_streamed_is_announced_as_incomplete_when_the_session_ends() -> None:
    """A lost connection loses nothing that was heard."""
    state = ready()
    state.send({"type": "response.create"})
    receive(state, created())
    receive(state, {**DELTA, "delta": "Hel"})

    assert end_connection(state) == [TurnEnded("assistant", "Hel", "item_1", "incomplete")]
    assert not state.busy


def test_a_cancelled_response_says_so() -> None:
    """Status and reason reach the reader, and the conversation is free again."""
    state = ready()
    request = state.send({"type": "response.create"})
    receive(state, created())

    effects = receive(
        state, done(status="cancelled", status_details={"type": "cancelled", "reason": "client_cancelled"})
    )

    assert effects == [ResponseEnded("resp_1", "cancelled", "client_cancelled", request_id=request["event_id"])]
    assert not state.busy


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"type": "server_error", "code": "rate_limit_exceeded", "message": "slow down"}, EndpointBusy),
        ({"type": "rate_limit_exceeded"}, EndpointBusy),
        ({"type": "x", "code": "insufficient_quota"}, AccessRefused),
        ({"type": "x", "code": "odd"}, ProtocolError),
        ({}, ProtocolError),
    ],
)
def test_a_failed_response_is_classified(error: dict[str, str], expected: type[Exception]) -> None:
    """The error inside a failed response decides what kind of failure it is."""
    state = ready()
    state.send({"type": "response.create"})
    receive(state, created())

    (end,) = receive(state, done(status="failed", status_details={"type": "failed", "error": error}))

    assert isinstance(end, ResponseEnded)
    assert isinstance(end.error, expected)


def test_an_error_names_the_client_event_that_caused_it() -> None:
    """The inner `event_id` leads back to what we sent."""
    state = ready()
    sent = state.send({"type": "conversation.item.delete", "item_id": "item_9"})

    (effect,) = receive(
        state,
        {
            "type": "error",
            "error": {"type": "x", "code": "item_not_found", "message": "no such item", "event_id": sent["event_id"]},
        },
    )

    assert isinstance(effect, ErrorReported)
    assert (effect.severity, effect.client_event_type) == ("recoverable", "conversation.item.delete")


def test_an_error_frees_the_request_that_it_answers() -> None:
    """A refused `response.create` would otherwise block the conversation for ever."""
    state = ready()
    sent = state.send({"type": "response.create"})

    effects = receive(state, {"type": "error", "error": {"type": "x", "message": "no", "event_id": sent["event_id"]}})

    assert isinstance(effects[1], ResponseEnded)
    assert effects[1].status == "refused"
    assert not state.busy


@pytest.mark.parametrize(
    ("code", "severity"),
    [("response_cancel_not_active", "harmless"), ("session_expired", "fatal"), ("unknown_parameter", "recoverable")],
)
def test_errors_have_a_severity(code: str, severity: str) -> None:
    """Harmless, recoverable and fatal codes are distinguished."""
    (effect,) = receive(ready(), {"type": "error", "error": {"type": "x", "code": code, "message": "m"}})

    assert isinstance(effect, ErrorReported)
    assert effect.severity == severity


def test_an_unknown_type_is_named_once() -> None:
    """New event types are expected; the log hears of each once."""
    state = ready()

    assert receive(state, {"type": "response.telepathy.delta"}) == [EventUnknown("response.telepathy.delta")]
    assert receive(state, {"type": "response.telepathy.delta"}) == []


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": 3},
        {"type": "response.created", "response": {"id": None}},
        {"type": "response.created"},
        {**DELTA, "delta": 1},
        {**DELTA},
        {"type": "conversation.item.added", "item": {"content": []}},
        {"type": "response.output_text.done", "response_id": "resp_1", "text": {}},
    ],
)
def test_a_malformed_event_is_reported_not_raised(event: dict[str, Any]) -> None:
    """Whatever the endpoint sends, `receive` returns."""
    state = ready()
    state.send({"type": "response.create"})
    receive(state, created())

    assert any(isinstance(each, EventMalformed) for each in receive(state, event))


def test_what_is_malformed_is_reported_once_for_each_problem() -> None:
    """Thousands of broken pieces of one kind are one line in the log."""
    state = ready()
    broken = [{**DELTA, "delta": 1}, {**DELTA, "delta": [], "item_id": 2}, {"type": 3}] * 1000

    assert [each for event in broken for each in receive(state, event)] == [
        EventMalformed(DELTA["type"], "`delta` is not a string"),
        EventMalformed("", "`type` is not a string"),
    ]


def test_what_is_malformed_is_reported_up_to_a_bound() -> None:
    """Nothing that an endpoint makes up fills the memory."""
    state = ready()

    assert sum(len(state.reported_once.malformed("x", str(number))) for number in range(1000)) == 256


def test_a_long_answer_costs_no_more_for_each_piece() -> None:
    """The text is joined when it is read, not for every one of its pieces."""
    state = ready()
    receive(state, created())

    def cost(pieces: int) -> float:
        before = time.process_time()
        for _ in range(pieces):
            receive(state, {**DELTA, "delta": "x" * 500})
        return time.process_time() - before

    first = cost(2000)
    cost(14000)
    assert cost(2000) < 5 * first + 0.1
    item = state.conversation.get("item_1")
    assert item
    assert len(item.text) == 18000 * 500


def test_an_unreadable_end_still_ends_the_response() -> None:
    """A `response.done` that cannot be read must not leave the session waiting."""
    state = ready()
    state.send({"type": "response.create"})
    receive(state, created())

    effects = receive(state, {"type": "response.done", "response": 7})

    assert isinstance(effects[1], ResponseEnded)
    assert effects[1].status == "failed"
    assert not state.busy


def test_usage_adds_up_over_responses() -> None:
    """Tokens of every response are counted, by direction and modality."""
    state = ready()
    usage = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}
    usage_details = {
        "input_token_details": {"text_tokens": 9, "cached_tokens": 3},
        "output_token_details": {"text_tokens": 4},
    }
    for number in range(2):
        receive(state, created(f"resp_{number}"))
        receive(state, done(f"resp_{number}", usage={**usage, **usage_details}))

    counted = state.usage
    assert (counted.responses, counted.input_tokens, counted.output_tokens) == (2, 20, 8)
    assert (counted.cached_tokens, counted.input_text_tokens, counted.output_text_tokens) == (6, 18, 8)


def test_items_keep_the_place_that_the_endpoint_gives_them() -> None:
    """`previous_item_id` decides the order, deletion forgets."""
    state = ready()
    for item_id, previous in (("a", None), ("c", "a"), ("b", "a")):
        item = {"id": item_id, "type": "message", "role": "user", "content": [{"type": "input_text", "text": item_id}]}
        receive(state, {"type": "conversation.item.added", "previous_item_id": previous, "item": item})

    assert [each.id for each in state.conversation.items] == ["a", "b", "c"]
    receive(state, {"type": "conversation.item.deleted", "item_id": "b"})
    assert [each.id for each in state.conversation.items] == ["a", "c"]


def test_what_the_user_said_is_announced_once_it_is_transcribed() -> None:
    """An audio turn has no text until its transcription is complete."""
    state = ready()
    item = {"id": "i", "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}

    assert receive(state, {"type": "conversation.item.added", "item": item}) == []
    assert receive(
        state,
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "i",
            "content_index": 0,
            "transcript": "Hello there",
        },
    ) == [TurnEnded("user", "Hello there", "i", "completed"), TranscriptionEnded("i")]


def test_what_is_being_written_down_is_pending() -> None:
    """A commit is pending until it is answered, its item until its transcription is complete or has failed."""
    state = ready()
    receive(state, {"type": "session.updated", "session": {"audio": {"input": {"transcription": {"model": "x"}}}}})
    for item_id, ending in (("a", {"type": "completed", "transcript": "hi"}), ("b", {"type": "failed"})):
        state.send({"type": "input_audio_buffer.commit"})
        assert state.is_pending
        receive(state, {"type": "input_audio_buffer.committed", "item_id": item_id})
        assert state.is_pending
        assert not state.busy
        kind = f"conversation.item.input_audio_transcription.{ending['type']}"
        receive(state, {**ending, "type": kind, "item_id": item_id, "content_index": 0})
        assert not state.is_pending


def test_a_refused_commit_is_pending_no_longer() -> None:
    """An empty buffer is answered with an error, and nothing is pending."""
    state = ready()
    sent = state.send({"type": "input_audio_buffer.commit"})

    receive(state, {"type": "error", "error": {"type": "x", "message": "empty", "event_id": sent["event_id"]}})

    assert not state.is_pending
