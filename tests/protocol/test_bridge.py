"""What was asked of one kind of session in the words of the other."""

from typing import Any

import pytest

from runner.api.session_types import SessionType
from runner.protocol.bridge import bridge_retries, bridged
from runner.protocol.connection_end import end_connection
from runner.protocol.receive import receive
from runner.protocol.request import RESPONSE, Request
from runner.protocol.state import SessionState
from runner.protocol.tool_place import with_tools
from runner.protocol.typed_text import known_event, opening_event, repeated_event, spoken_event, told_event, typed_event
from runner.protocol.word_for_word import recital

MUTE = {"type": "session.input_audio.mute"}
COMMIT = {"type": "input_audio_buffer.commit"}
ORDER: dict[str, Any] = {"type": "function", "name": "order"}
SEARCH: dict[str, Any] = {"type": "web_search"}


def state_of(kind: SessionType, *, words: str = "Why?") -> SessionState:
    """A state of this kind, in whose conversation the user has said something last."""
    state = SessionState(kind=kind)
    state.phase = "ready"
    state.configuration.ask("event_0", {"instructions": "Be brief."})
    if words:
        content = [{"type": "input_text", "text": words}]
        state.conversation.put({"id": "item_1", "type": "message", "role": "user", "content": content})
    return state


def item(role: str, text: str) -> dict[str, Any]:
    """The client event that creates a message."""
    content = [{"type": "input_text", "text": text}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": role, "content": content}}


def response(**fields: Any) -> dict[str, Any]:
    """The client event that asks for a response."""
    return {**RESPONSE, "response": fields}


@pytest.mark.parametrize(
    ("kind", "events", "expected"),
    [
        ("live", [item("user", "Hi"), {**RESPONSE, "event_id": "e1"}], [typed_event("Hi", "e1")]),
        (
            "live",
            [item("system", "Rain."), item("user", "Hi")],
            [known_event("Know this: Rain."), known_event("The user has said: Hi")],
        ),
        ("live", [item("system", "x" * 2000)], [known_event(f"Know this: {'x' * 1489}"), known_event("x" * 511)]),
        ("live", [{"type": "conversation.item.create", "item": {"type": "message", "role": ["user"]}}], []),
        ("live", [{"type": "session.update", "session": {"tools": "none"}}], []),
        ("live", [COMMIT, RESPONSE], [repeated_event("Why?")]),
        ("live", [response(conversation="none")], []),
        ("live", [{**response(instructions=recital("Bye.")), "event_id": "e1"}], [spoken_event("Bye.", "e1")]),
        ("live", [{"type": "session.update", "session": {"type": "realtime", "audio": {}}}], []),
        (
            "realtime",
            [{"type": "session.update", "session": {"delegation": {"responses": {"tools": [1]}}}}],
            [{"type": "session.update", "session": {"type": "realtime", "tools": []}}],
        ),
        ("realtime", [typed_event("Hi", "e1")], [item("user", "Hi"), {**RESPONSE, "event_id": "e1"}]),
        (
            "realtime",
            [MUTE, told_event("Rain."), known_event("Sun.")],
            [item("system", "Rain."), item("system", "Sun.")],
        ),
        (
            "realtime",
            [opening_event("Greet.", "e1")],
            [{**response(instructions="Be brief.\n\nGreet.", tool_choice="none"), "event_id": "e1"}],
        ),
        (
            "realtime",
            [spoken_event("Bye.", "e1")],
            [{**response(instructions=recital("Bye."), input=[], tool_choice="none"), "event_id": "e1"}],
        ),
    ],
)
def test_events_are_put_into_the_words_of_the_other_kind(
    kind: SessionType, events: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> None:
    """What it has no need of is left out."""
    assert bridged(events, state_of(kind)) == expected


def test_what_cannot_be_asked_of_a_live_session_is_given_back() -> None:
    """A response out of band; and an answer to audio that was not written down."""
    aside, answer = response(conversation="none"), dict(RESPONSE)
    for words, left in (("Why?", 1), ("", 2)):
        state = state_of("live", words=words)
        state.pending.to_retry[:] = [Request("e1", "out_of_band", aside), Request("e2", "response", answer)]
        assert len(bridge_retries(state)) == left
        assert [each.event["content"] for each in state.pending.to_retry] == [repeated_event(words)["content"]] * (
            2 - left
        )


def test_a_prompt_that_is_lost_with_a_live_session_is_asked_for_again() -> None:
    """It answers nobody, so there are no words to repeat."""
    state = SessionState(kind="live", retries_lost=True, max_response_retries=2)
    state.phase = "ready"
    opening = opening_event("Greet.", "e1")
    state.send(opening)
    end_connection(state)
    (again,) = state.retries
    assert again.event["content"] == opening["content"]


def test_what_is_said_to_a_live_session_was_heard_to_the_end_of_its_words() -> None:
    """So that of what went with its connection only the rest is lost."""
    state = state_of("live")
    piece = {"type": "session.input_transcript.delta", "delta": "Hello", "start_ms": 1000, "end_ms": 1800}
    receive(state, piece)
    assert state.pending.heard_ms == 1800


def test_tools_of_the_responses_api_stay_with_it() -> None:
    """A realtime session is offered the functions only."""
    live = {"delegation": {"type": "responses", "responses": {"model": "m", "tools": [SEARCH]}}}
    assert with_tools(live, [ORDER])["delegation"]["responses"]["tools"] == [SEARCH, ORDER]
    assert with_tools({"type": "realtime"}, [SEARCH, ORDER])["tools"] == [ORDER]
