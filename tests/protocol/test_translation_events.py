"""A translation in the state machine: words without turns, audio, and an end that is asked for."""

from typing import Any

import pytest

from runner.errors import IllegalEvent
from runner.protocol.closing import Concluded
from runner.protocol.connection_end import end_connection
from runner.protocol.effects import (
    AudioDelta,
    Opened,
    TextDelta,
    TranscriptDelta,
    TurnEnded,
)
from runner.protocol.receive import receive
from runner.protocol.state import SessionState
from runner.protocol.unread_events import EventMalformed, EventUnknown


def translating(before: SessionState | None = None) -> SessionState:
    """A translation that is open and configured."""
    state = SessionState(before, kind="translation")
    session = {"id": "sess_1", "type": "translation", "expires_at": 1, "model": "m", "audio": {}}
    assert receive(state, {"type": "session.created", "session": session}) == [Opened("sess_1", 1, "translation")]
    state.send({"type": "session.update", "session": {"audio": {"output": {"language": "de"}}}})
    receive(state, {"type": "session.updated", "session": session})
    return state


def spoken(delta: str, elapsed_ms: int | None = None) -> dict[str, Any]:
    """A piece of the translation."""
    return {"type": "session.output_transcript.delta", "delta": delta, "elapsed_ms": elapsed_ms}


def heard(delta: str, elapsed_ms: int | None = None) -> dict[str, Any]:
    """A piece of what is translated."""
    return {"type": "session.input_transcript.delta", "delta": delta, "elapsed_ms": elapsed_ms}


def said(state: SessionState) -> list[tuple[str, str, str]]:
    """The conversation so far."""
    return [(item.role, item.text, item.status) for item in state.conversation.items]


def test_both_sides_run_beside_each_other() -> None:
    """Each has its own stretch, which only a pause or the end ends."""
    state = translating()

    assert receive(state, heard("Good")) == [TranscriptDelta("stretch_1", "Good")]
    assert receive(state, spoken("Gu")) == [TextDelta("", "stretch_2", "Gu")]
    assert receive(state, heard(" day")) == [TranscriptDelta("stretch_1", " day")]
    assert receive(state, spoken("ten Tag")) == [TextDelta("", "stretch_2", "ten Tag")]
    assert said(state) == [("user", "Good day", "in_progress"), ("assistant", "Guten Tag", "in_progress")]


def test_a_pause_ends_a_stretch() -> None:
    """The endpoint's own clock counts, and the space between two sentences belongs to none of them."""
    state = translating()
    receive(state, spoken("Guten Tag.", 1000))
    receive(state, spoken(" Und", 2999))

    assert receive(state, spoken(" Ende.", 4999)) == [
        TurnEnded("assistant", "Guten Tag. Und", "stretch_1", "completed"),
        TextDelta("", "stretch_2", "Ende."),
    ]


def test_without_the_endpoints_clock_the_time_of_arrival_counts() -> None:
    """Where `elapsed_ms` is missing, the client's own clock says when a piece came."""
    now_s = 0.0
    state = SessionState(kind="translation", clock=lambda: now_s)
    for at_s, delta in ((10.0, "a"), (11.9, "b"), (13.9, "c")):
        now_s = at_s
        receive(state, heard(delta))

    assert said(state) == [("user", "ab", "completed"), ("user", "c", "in_progress")]


def test_audio_has_an_item_of_its_own() -> None:
    """It comes before, after or without words, and stays base64."""
    state = translating()

    assert receive(state, {"type": "session.output_audio.delta", "delta": "AAAA"}) == [
        AudioDelta("", "translation", "AAAA")
    ]
    assert state.conversation.items == ()


def test_the_end_that_was_asked_for_ends_both_sides() -> None:
    """Until then last words are pending, and nothing more can be sent."""
    state = translating()
    receive(state, heard("Good day"))
    receive(state, spoken("Guten Tag"))
    before = state.is_pending
    state.send({"type": "session.close"})

    assert (before, state.is_pending) == (False, True)
    with pytest.raises(IllegalEvent, match="asked for its last words"):
        state.send({"type": "session.input_audio_buffer.append", "audio": "AAAA"})
    receive(state, spoken("."))
    assert receive(state, {"type": "session.closed", "event_id": "e"}) == [
        TurnEnded("user", "Good day", "stretch_1", "completed"),
        TurnEnded("assistant", "Guten Tag.", "stretch_2", "completed"),
        Concluded(was_asked=True),
    ]
    assert (state.closing.is_concluded, state.is_pending) == (True, False)
    assert end_connection(state) == []


def test_an_end_that_nobody_asked_for_is_reported_as_such() -> None:
    """The endpoint's own end is none of ours."""
    state = translating()

    assert receive(state, {"type": "session.closed"}) == [Concluded(was_asked=False)]
    assert not state.closing.is_concluded


def test_a_lost_connection_breaks_off_and_the_next_goes_on() -> None:
    """What was being said is incomplete; the next connection reports nothing again and gives new names."""
    first = translating()
    receive(first, heard("Good d"))
    first.send({"type": "session.close"})

    assert end_connection(first) == [TurnEnded("user", "Good d", "stretch_1", "incomplete")]
    assert not first.is_pending
    second = translating(first)
    assert receive(second, heard("ay")) == [TranscriptDelta("stretch_2", "ay")]
    assert said(second) == [("user", "Good d", "incomplete"), ("user", "ay", "in_progress")]


@pytest.mark.parametrize(
    "kind", ["response.create", "conversation.item.create", "input_audio_buffer.commit", "novelty"]
)
def test_what_a_translation_does_not_have_is_refused(kind: str) -> None:
    """The message says what there is instead, and nothing is noted."""
    state = translating()

    with pytest.raises(IllegalEvent, match=f"`{kind}` cannot be sent: a translation has no such event") as refused:
        state.send({"type": kind, "item": {"id": "i", "type": "message", "role": "user"}})

    assert "`session.close`" in refused.value.hint
    assert state.conversation.items == ()
    assert not state.is_pending


def test_audio_is_appended_under_the_name_that_a_translation_has_for_it() -> None:
    """The caller that appends audio need not know the kind of the session; none of it is left for a commit."""
    state = translating()

    sent = state.send({"type": "input_audio_buffer.append", "audio": "AAAA"})

    assert sent["type"] == "session.input_audio_buffer.append"
    assert state.quiet
    assert SessionState().identified({"type": "input_audio_buffer.append"})["type"] == "input_audio_buffer.append"


def test_events_of_other_kinds_pass_through() -> None:
    """They are named once and change nothing, in both directions."""
    state, conversing = translating(), SessionState()

    assert receive(state, {"type": "response.created", "response": {"id": "r"}}) == [EventUnknown("response.created")]
    assert not state.is_pending
    assert receive(conversing, spoken("x")) == [EventUnknown("session.output_transcript.delta")]
    assert receive(conversing, {"type": "session.closed"}) == [EventUnknown("session.closed")]
    assert conversing.conversation.items == ()


@pytest.mark.parametrize(
    "event",
    [
        {**spoken(""), "delta": None},
        {"type": "session.output_audio.delta", "delta": 1},
    ],
)
def test_what_cannot_be_read_changes_nothing(event: dict[str, Any]) -> None:
    """It is reported, and the translation goes on."""
    state = translating()

    assert [type(each) for each in receive(state, event)] == [EventMalformed]
    assert state.conversation.items == ()
