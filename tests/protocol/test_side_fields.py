"""What an event means is taken in; a side field that cannot be read counts as absent, and is reported once."""

from typing import Any

import pytest

from runner.errors import ProtocolError
from runner.protocol.effects import (
    Configured,
    Effect,
    ErrorReported,
    Opened,
    ResponseEnded,
    SpeechStarted,
    TextDelta,
    TranscriptDelta,
    Truncated,
    TurnEnded,
)
from runner.protocol.receive import receive
from runner.protocol.side_fields import FieldUnreadable, SideFields
from runner.protocol.state import SessionState
from runner.protocol.unread_events import EventMalformed

UNREADABLE: list[Any] = ["odd", "2030-01-01T00:00:00Z", -1, True, float("nan"), float("inf"), 1 << 70, [], {}]
DETECTING = {"audio": {"input": {"turn_detection": {"type": "server_vad"}, "transcription": {"model": "x"}}}}


def ready(session: dict[str, Any] | None = None) -> SessionState:
    """A state that is open and configured."""
    state = SessionState()
    receive(state, {"type": "session.created", "session": session or {}})
    receive(state, {"type": "session.updated", "session": session or {}})
    return state


def asked(state: SessionState) -> str:
    """Ask for a response; returns the event's id."""
    return str(state.send({"type": "response.create"})["event_id"])


def means(effects: list[Effect]) -> list[Effect]:
    """The effects without what is reported of side fields."""
    return [each for each in effects if not isinstance(each, FieldUnreadable)]


@pytest.mark.parametrize("value", UNREADABLE)
def test_a_greeting_whose_expiry_cannot_be_read_is_a_greeting(value: Any) -> None:
    """The session does not know when it ends, and opens all the same."""
    state = SessionState()
    problem = "`expires_at` is not a non-negative number"

    assert receive(state, {"type": "session.created", "session": {"id": "s", "expires_at": value}}) == [
        FieldUnreadable("session.created", problem),
        Opened("s", 0),
    ]
    assert state.greeted
    updated: dict[str, Any] = {"type": "session.updated", "session": {"id": "s", "expires_at": value}}
    assert means(receive(state, updated)) == [Configured(updated["session"])]
    assert state.phase == "ready"


@pytest.mark.parametrize("value", [1234, 1234.0, 1234.9])
def test_an_expiry_may_have_a_fraction(value: Any) -> None:
    """Servers in Python write the time as they have it."""
    state = SessionState()

    assert receive(state, {"type": "session.created", "session": {"id": 7, "expires_at": value}}) == [Opened("7", 1234)]


@pytest.mark.parametrize("event", [{}, {"session": None}, {"session": []}, {"session": "odd"}])
def test_a_session_is_opened_and_configured_without_its_object(event: dict[str, Any]) -> None:
    """Nothing is said that did not come, and nothing that came is denied."""
    state = SessionState()

    assert means(receive(state, {"type": "session.created", "id": "sess_1", **event})) == [Opened("sess_1", 0)]
    receive(state, {"type": "session.updated", **event})
    assert (state.greeted, state.phase) == (True, "ready")


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        ({"error": {"message": "no", "code": 404}}, "no", "404"),
        ({"error": {"message": "no", "code": 404.0, "type": 5}}, "no", "404"),
        ({"error": {"message": "no", "code": {}, "param": []}}, "no", ""),
        ({"error": {"message": ["no"], "code": "odd"}}, "odd", "odd"),
        ({"error": {"type": "overloaded"}}, "overloaded", ""),
        ({"error": "no"}, "no", ""),
        ({"error": "no", "code": 1013}, "no", "1013"),
        ({"message": "no", "code": "odd", "param": "model"}, "no (at `model`)", "odd"),
        ({}, "the endpoint gives no reason", ""),
        ({"error": [1]}, "the endpoint gives no reason", ""),
    ],
)
def test_an_error_says_what_it_says(error: dict[str, Any], message: str, code: str) -> None:
    """Whatever the shape; and it answers the request that waits."""
    state = ready()
    request_id = asked(state)

    reported, ended = means(receive(state, {"type": "error", **error}))

    assert isinstance(reported, ErrorReported)
    assert (reported.error.message, reported.error.code) == (message, code)
    assert isinstance(ended, ResponseEnded)
    assert (ended.status, ended.request_id) == ("refused", request_id)


@pytest.mark.parametrize(
    ("details", "message"),
    [("out of memory", "out of memory"), ({"message": "no", "code": 500}, "no"), ({"code": 500}, "500"), (5, "")],
)
def test_a_failed_response_says_why(details: Any, message: str) -> None:
    """Plain text and numbers too."""
    state = ready()
    asked(state)
    response = {"id": 1, "status": "failed", "status_details": {"error": details}}

    (ended,) = receive(state, {"type": "response.done", "response": response})

    assert isinstance(ended, ResponseEnded)
    assert isinstance(ended.error, ProtocolError)
    assert ended.error.message.endswith(message or "the endpoint gives no reason")


@pytest.mark.parametrize(
    ("place", "at_ms"),
    [(500, 500), (500.0, 500), (500.5, 500), (None, 0), *((each, 0) for each in UNREADABLE)],
)
def test_whoever_begins_to_speak_is_heard_wherever_it_was(place: Any, at_ms: int) -> None:
    """Nobody needs the number to stop an answer."""
    state = ready(DETECTING)

    effects = receive(state, {"type": "input_audio_buffer.speech_started", "item_id": "i", "audio_start_ms": place})

    assert means(effects) == [SpeechStarted("i", at_ms, interrupts=True)]
    assert state.is_hearing_speech


@pytest.mark.parametrize(
    "fields",
    [
        {"usage": "none"},
        {"usage": {"type": "duration", "seconds": "3"}},
        {"usage": {"input_tokens": 13.0}},
        {"usage": []},
        {"logprobs": {"tokens": []}},
        {"logprobs": [None, 5]},
        {"content_index": -1},
        {"content_index": "0"},
        {"content_index": 1 << 70},
    ],
)
def test_a_transcript_is_its_words(fields: dict[str, Any]) -> None:
    """Whatever stands beside them."""
    state = ready(DETECTING)
    receive(state, {"type": "input_audio_buffer.committed", "item_id": "i"})
    event = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "i", "transcript": "Hello"}

    effects = receive(state, {**event, **fields})

    assert [each.text for each in effects if isinstance(each, TurnEnded)] == ["Hello"]
    assert not state.pending.transcribing


@pytest.mark.parametrize("item_id", [None, [], 5])
def test_a_transcript_without_a_readable_item_is_of_the_one_that_waits(item_id: Any) -> None:
    """Its pieces as well; one that is a number has a name."""
    state = ready(DETECTING)
    receive(state, {"type": "input_audio_buffer.committed", "item_id": "5"})
    kind = "conversation.item.input_audio_transcription"

    effects = [
        *receive(state, {"type": f"{kind}.delta", "item_id": item_id, "delta": "Hello"}),
        *receive(state, {"type": f"{kind}.completed", "item_id": item_id, "transcript": None}),
    ]

    assert TranscriptDelta("5", "Hello") in effects
    assert TurnEnded("user", "Hello", "5", "completed") in effects
    assert not state.pending.transcribing


def test_a_turn_that_is_written_down_in_two_transcripts_is_two() -> None:
    """The second one has words that nobody has seen; a third that repeats them is none."""
    state = ready(DETECTING)
    kind = "conversation.item.input_audio_transcription.completed"
    effects = [
        each
        for words in ("One.", "Two.", "Two.")
        for each in receive(state, {"type": kind, "item_id": "i", "content_index": 0, "transcript": words})
    ]

    assert [each.text for each in effects if isinstance(each, TurnEnded)] == ["One.", "Two."]


@pytest.mark.parametrize("usage", [None, "none", [], {"input_tokens": "7", "output_tokens": 5.0}, {"output_tokens": 5}])
def test_an_answer_ends_whatever_its_usage(usage: Any) -> None:
    """What can be read of it counts."""
    state = ready()
    request_id = asked(state)
    receive(state, {"type": "response.created", "response": {"id": "r"}})
    words = {"response_id": "r", "item_id": "i", "content_index": 0, "delta": "Hello"}
    receive(state, {"type": "response.output_text.delta", **words})
    response = {"id": "r", "status": "completed", "usage": usage}

    effects = means(receive(state, {"type": "response.done", "response": response}))

    assert effects == [
        TurnEnded("assistant", "Hello", "i", "completed"),
        ResponseEnded("r", "completed", request_id=request_id),
    ]
    assert state.usage.output_tokens == (5 if isinstance(usage, dict) else 0)


@pytest.mark.parametrize("heard_ms", [None, "odd", -5])
def test_what_was_heard_is_what_we_asked_for_where_the_endpoint_does_not_say(heard_ms: Any) -> None:
    """And all of it where nobody has said."""
    state = ready()
    state.conversation.append("a", 0, "All of it")
    state.conversation.by_id["a"].audio_characters = 1000
    truncated = {"type": "conversation.item.truncated", "item_id": "a", "audio_end_ms": heard_ms}

    assert means(receive(state, truncated)) == []
    state.conversation.by_id["a"].heard_ms = 0
    assert means(receive(state, truncated)) == [Truncated("a", 0, "")]


@pytest.mark.parametrize("content", ["Hello", {"type": "text", "text": "Hello"}, [5, "Hello"], ["Hello", None]])
def test_an_item_has_the_words_that_can_be_read(content: Any) -> None:
    """As a list of parts, as one part, or as plain text."""
    state = ready()
    asked(state)
    item = {"id": 3, "type": "message", "role": "assistant", "content": content, "call_id": [], "status": {}}

    effects = receive(state, {"type": "response.done", "response": {"id": 4.0, "output": [item, None]}})

    assert TurnEnded("assistant", "Hello", "3", "completed") in effects
    assert not any(isinstance(each, EventMalformed) for each in effects)


def test_ids_may_be_numbers() -> None:
    """The same number is the same item, whether it is written with a fraction or not."""
    state = ready()
    asked(state)
    receive(state, {"type": "response.created", "response": {"id": 1}})
    where = {"type": "response.output_text.delta", "response_id": 1, "content_index": 0}

    effects = [
        effect for item_id in (2, 2.0, "2") for effect in receive(state, {**where, "item_id": item_id, "delta": "x"})
    ]

    assert effects == [TextDelta("1", "2", "x")] * 3
    assert state.conversation.by_id["2"].text == "xxx"


def test_each_field_is_reported_once() -> None:
    """Whatever events have it, and on every connection of the session; up to a bound."""
    state = ready()
    events: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", "response_id": "r", "item_id": "i", "content_index": -1, "delta": "x"},
        {"type": "response.output_text.done", "response_id": "r", "item_id": "i", "content_index": -1, "text": "x"},
    ]
    effects = [effect for event in events * 100 for effect in receive(state, event)]
    effects += [effect for event in events for effect in receive(SessionState(state), event)]

    assert [each for each in effects if isinstance(each, FieldUnreadable)] == [
        FieldUnreadable(events[0]["type"], "`content_index` is not a non-negative whole number")
    ]
    side = SideFields()
    for number in range(1000):
        side.note(str(number))
        side.report("x")
    side.note("more")
    assert side.report("x") == []
