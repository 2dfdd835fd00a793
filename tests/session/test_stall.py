"""An endpoint that goes silent in the middle of an answer."""

import math
from typing import Any

import pytest

from runner.errors import EndpointUnreachable
from runner.protocol.receive import receive
from runner.session.stall import DOUBT_S, StallDetector
from tests.helpers.networkless_link import StillLink

TIMEOUT_S = 8.0
CREATE = {"type": "response.create"}
ASIDE = {"type": "response.create", "response": {"conversation": "none"}}


def watched(link: StillLink, until_s: float, events_s: tuple[float, ...] = ()) -> float:
    """Look whenever it asks for it and whenever an event comes, from 0 s on; returns when the connection was given up.

    Infinite where it was not.
    """
    stall = StallDetector(link.as_link(), TIMEOUT_S)
    now_s, to_come = 0.0, [*events_s]
    while now_s <= until_s:
        stall.look(now_s)
        if link.failures:
            return now_s
        if to_come and to_come[0] <= stall.next_s:
            now_s = to_come.pop(0)
            link.state.awaited_at_s = 1e9 + now_s
        else:
            assert stall.next_s > now_s
            now_s = stall.next_s
    return math.inf


@pytest.mark.parametrize("request_", [CREATE, ASIDE])
def test_silence_is_a_lost_connection(request_: dict[str, object]) -> None:
    """After the timeout, give or take a look."""
    link = StillLink()
    link.state.send(request_)

    assert TIMEOUT_S <= watched(link, 100) <= TIMEOUT_S * 1.25
    assert isinstance(link.failures[0], EndpointUnreachable)
    assert "8 s" in link.failures[0].message


def test_whatever_comes_of_the_answer_begins_the_silence_anew() -> None:
    """An answer may take as long as it likes."""
    link = StillLink()
    link.state.send(CREATE)
    events_s = tuple(5.0 * number for number in range(1, 20))

    assert 95 + TIMEOUT_S <= watched(link, 200, events_s) <= 95 + TIMEOUT_S * 1.5


def test_nothing_is_watched_while_nothing_is_pending() -> None:
    """A user who thinks or speaks is no stall."""
    link = StillLink()
    link.state.pending.turn = "speaking"

    assert watched(link, 1000) == math.inf


def test_silence_counts_from_the_request_on() -> None:
    """Not from the last event before it, nor from the request before."""
    link = StillLink()
    stall = StallDetector(link.as_link(), TIMEOUT_S)
    for start_s in (0.0, 1000.0):
        stall.look(start_s)
        link.state.send(CREATE)
        stall.look(start_s + 500)
        assert stall.next_s <= start_s + 500 + TIMEOUT_S
        receive(link.state, {"type": "response.done", "response": {"id": "r", "status": "completed"}})
        stall.look(start_s + 501)
        assert stall.next_s == math.inf

    assert link.failures == []


@pytest.mark.parametrize("owed", ["commit", "transcript", "turn"])
def test_whatever_is_pending_is_waited_for_no_longer(owed: str) -> None:
    """Not only responses: the answer to a commit, a transcript, and the response to what turn detection heard."""
    link = StillLink()
    if owed == "commit":
        link.state.send({"type": "input_audio_buffer.commit"})
    elif owed == "transcript":
        link.state.pending.transcribing.add("item_1")
    else:
        link.state.pending.turn = "committed"

    assert TIMEOUT_S <= watched(link, 100) <= TIMEOUT_S * 1.25


ANSWERING = {"type": "response.created", "response": {"id": "resp_1"}}
TYPED = {"id": "item_1", "type": "message", "role": "assistant"}
ADDED = {"type": "response.output_item.added", "response_id": "resp_1", "item": TYPED}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "heartbeat"},
        {"type": "rate_limits.updated", "rate_limits": []},
        {"type": "session.updated", "session": {}},
        {"type": "error", "error": {"type": "x", "message": "no", "event_id": "event_of_nobody"}},
        {"type": "response.output_text.done", "response_id": "resp_other", "item_id": "item_other", "text": "?"},
        {"type": "input_audio_buffer.speech_started", "item_id": "item_9", "audio_start_ms": 0},
        {"type": "conversation.item.added", "item": {"id": "item_9", "type": "message", "role": "user"}},
        {"type": "input_audio_buffer.committed", "item_id": "item_9"},
        {"type": "heartbeat", "response_id": ["resp_1"], "item_id": {}},
    ],
    ids=lambda event: str(event["type"]),
)
def test_what_is_no_part_of_the_answer_is_no_sign_of_it(event: dict[str, Any]) -> None:
    """However often it comes."""
    state = StillLink().state
    state.send(CREATE)
    receive(state, ANSWERING)
    assert state.brings_awaited(ANSWERING)

    receive(state, event)
    assert not state.brings_awaited(event)


@pytest.mark.parametrize(
    "event",
    [
        ADDED,
        {"type": "response.function_call_arguments.delta", "response_id": "resp_1", "item_id": "item_2", "delta": "{"},
        {"type": "response.mcp_call.in_progress", "item_id": "item_1", "output_index": 0},
        {"type": "some.new.event", "response_id": "resp_1"},
        {"type": "response.done", "response": {"id": "resp_1", "status": "completed"}},
    ],
    ids=lambda event: str(event["type"]),
)
def test_every_part_of_the_answer_is_a_sign_of_it(event: dict[str, Any]) -> None:
    """Also where it brings neither text nor audio."""
    state = StillLink().state
    state.send(CREATE)
    for before in (ANSWERING, ADDED):
        receive(state, before)
        state.brings_awaited(before)

    receive(state, event)
    assert state.brings_awaited(event)


def test_what_becomes_of_a_commit_and_of_a_transcript_is_a_sign() -> None:
    """Each of them once."""
    state = StillLink().state
    session = {"audio": {"input": {"turn_detection": None, "transcription": {"model": "m"}}}}
    receive(state, {"type": "session.updated", "session": session})
    state.send({"type": "input_audio_buffer.commit"})
    kind = "conversation.item.input_audio_transcription"
    of_item = {"item_id": "item_1", "content_index": 0}
    transcript: list[dict[str, Any]] = [
        {"type": f"{kind}.segment", **of_item, "text": "Hel"},
        {"type": f"{kind}.completed", **of_item, "transcript": "Hello"},
    ]
    for event in ({"type": "input_audio_buffer.committed", "item_id": "item_1"}, *transcript):
        receive(state, event)
        assert state.brings_awaited(event), event
    for event in transcript:
        receive(state, event)
        assert not state.brings_awaited(event), event


def test_a_request_in_doubt_is_waited_for_a_few_seconds_only() -> None:
    """Then the error without a name was its refusal; the connection lives on."""
    link = StillLink()
    link.state.send({"type": "conversation.item.create", "item": {"type": "message", "role": "user"}})
    link.state.send(CREATE)
    receive(link.state, {"type": "error", "error": {"type": "x", "message": "no"}})
    stall = StallDetector(link.as_link(), 60)
    now_s = 0.0
    while not link.refused:
        stall.look(now_s)
        assert now_s < DOUBT_S * 1.5
        now_s = max(now_s, min(stall.next_s, now_s + 1))

    assert now_s >= DOUBT_S
    assert link.failures == []
