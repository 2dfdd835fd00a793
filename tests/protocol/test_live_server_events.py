"""A Live session in the state machine: what its events mean, and what is still to come."""

from typing import Any

import pytest

from runner.errors import IllegalEvent
from runner.protocol.closing import Concluded
from runner.protocol.connection_end import end_connection
from runner.protocol.effects import (
    AudioDelta,
    Configured,
    ErrorReported,
    Opened,
    ResponseEnded,
    ResponseStarted,
    SpeechStarted,
    TextDelta,
    TranscriptDelta,
    TurnEnded,
)
from runner.protocol.live_turns import end_silent_turns
from runner.protocol.receive import receive
from runner.protocol.state import SessionState
from runner.protocol.typed_text import repeated_event, spoken_event, typed_event
from runner.protocol.unread_events import EventMalformed, EventUnknown
from runner.protocol.user_effects import AnswerInterrupted
from tests.helpers.live_peer import LOUD, SILENT, confirmed, sound, words

SESSION = {"id": "live_1", "expires_at": 7, "model": "m", "audio": {"format": {"type": "audio/pcm", "rate": 16000}}}


class Clock:
    """The client's clock, in seconds."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def state(clock: Clock) -> SessionState:
    """A session that has started."""
    state = SessionState(kind="live", clock=clock, retries_lost=True, max_response_retries=2)
    state.send({"type": "session.start", "session": {"model": "m", "input": [{"role": "user"}]}})
    assert receive(state, {"type": "session.started", "session": SESSION}) == [
        Opened("live_1", 7, "live"),
        Configured(SESSION),
    ]
    assert (state.configuration.wanted, state.quiet) == ({"model": "m"}, True)
    assert (state.configuration.input_format.rate, state.configuration.output_format.rate) == (16000, 16000)
    return state


def test_two_voices_make_turns(state: SessionState, clock: Clock) -> None:
    """A user's turn is speech, a model's one a response that nobody has announced; a pause ends them."""
    assert receive(state, words("input", " Hel", 0, 200)) == [
        SpeechStarted("turn_1", 0, interrupts=False),
        TranscriptDelta("turn_1", "Hel"),
    ]
    assert receive(state, words("input", "lo", 200, 400)) == [TranscriptDelta("turn_1", "lo")]
    assert state.is_hearing_speech
    assert receive(state, sound(SILENT)) == []
    assert receive(state, sound()) == [ResponseStarted("turn_2"), AudioDelta("turn_2", "turn_2", LOUD)]
    assert receive(state, words("output", "Hi", 600, 700)) == [TextDelta("turn_2", "turn_2", "Hi")]
    assert receive(state, sound(SILENT)) == [AudioDelta("turn_2", "turn_2", SILENT)]
    assert (state.busy, state.quiet, state.in_flight) == (True, False, frozenset({"turn_2"}))

    clock.now_s = 9.0
    assert end_silent_turns(state) == [
        TurnEnded("user", "Hello", "turn_1", "completed"),
        TurnEnded("assistant", "Hi", "turn_2", "completed"),
        ResponseEnded("turn_2", "completed"),
    ]
    assert (state.is_pending, state.usage.responses, state.quiet) == (False, 1, True)


def test_an_answer_that_was_spoken_over_is_interrupted(state: SessionState, clock: Clock) -> None:
    """Whether the user's words come before the pause that ends it or after it, it is known once, with what sounded."""
    receive(state, words("output", "It will be", 0, 700))
    for audio in (LOUD, LOUD, SILENT):
        receive(state, sound(audio))
    begun = receive(state, words("input", "Stop", 650, 900))
    assert begun == [SpeechStarted("turn_2", 650, interrupts=False), TranscriptDelta("turn_2", "Stop")]
    assert receive(state, words("output", "I stop", 1400, 1600)) == [
        AnswerInterrupted("turn_1", 300),
        TurnEnded("assistant", "It will be", "turn_1", "completed"),
        ResponseEnded("turn_1", "completed"),
        ResponseStarted("turn_3"),
        TextDelta("turn_3", "turn_3", "I stop"),
    ]
    clock.now_s = 9.0
    assert [type(each) for each in end_silent_turns(state)] == [TurnEnded, TurnEnded, ResponseEnded]
    assert receive(state, words("input", "Well", 1500, 1900)) == [
        SpeechStarted("turn_4", 1500, interrupts=False),
        AnswerInterrupted("turn_3", 200),
        TranscriptDelta("turn_4", "Well"),
    ]


def test_what_is_typed_is_a_question(state: SessionState, clock: Clock) -> None:
    """It is a turn once it is confirmed, and answered by the next words of the model; sound without words is none."""
    asked = state.send(typed_event("Hello?", "ask_1"))
    assert (state.requested_by, state.awaits_endpoint) == ("ask_1", True)
    assert receive(state, confirmed(asked)) == [TurnEnded("user", "Hello?", "turn_1", "completed")]
    assert ResponseStarted("turn_2", "ask_1") in receive(state, sound())
    clock.now_s = 9.0
    assert end_silent_turns(state) == [ResponseEnded("turn_2", "completed", request_id="ask_1", is_step=True)]
    receive(state, words("output", "Yes.", 9000, 9500))
    clock.now_s = 19.0
    assert ResponseEnded("turn_3", "completed", request_id="ask_1") in end_silent_turns(state)
    assert not state.awaits("ask_1")


def test_an_unconfirmed_question_ends_when_it_is_answered(state: SessionState) -> None:
    """An endpoint that confirms nothing leaves no question out of the transcript."""
    state.send(typed_event("Hello?", "ask_1"))
    effects = receive(state, words("output", "Yes.", 0, 100))
    assert effects[:2] == [TurnEnded("user", "Hello?", "turn_1", "completed"), ResponseStarted("turn_2", "ask_1")]


def test_a_refused_question_is_over(state: SessionState) -> None:
    """The error names it where the Live API says so, and its code may be null."""
    state.send(typed_event("Hello?", "ask_1"))
    error = {"type": "invalid_request_error", "code": None, "message": "too long", "client_event_id": "ask_1"}
    reported, ended = receive(state, {"type": "error", "error": error})
    assert isinstance(reported, ErrorReported)
    assert reported.client_event_id == "ask_1"
    assert isinstance(ended, ResponseEnded)
    assert (ended.status, ended.request_id) == ("refused", "ask_1")
    assert (state.is_pending, state.conversation.items) == (False, ())


def test_seconds_are_billed_once(state: SessionState) -> None:
    """They are said again and again, for the last time at the end; another connection counts from 0."""
    for seconds in (15, 30, 30):
        receive(state, {"type": "session.usage.updated", "usage": {"seconds": seconds}})
    state.send({"type": "session.close"})
    assert state.is_pending
    closed = {"type": "session.closed", "reason": "close_requested", "usage": {"seconds": 31.5}}
    assert receive(state, closed) == [Concluded(was_asked=True, reason="close_requested")]
    assert (state.closing.is_concluded, state.is_pending, state.usage.live_s) == (True, False, 31.5)
    with pytest.raises(IllegalEvent, match="asked for its last words"):
        state.send({"type": "session.input_audio.append"})
    after = SessionState(state, kind="live")
    receive(after, {"type": "session.usage.updated", "usage": {"seconds": 2}})
    assert after.usage.live_s == 33.5


def test_what_a_lost_connection_leaves_is_asked_for_again(state: SessionState, clock: Clock) -> None:
    """A question is in the next session's history; a greeting is not, and what was said long ago needs no answer."""
    state.send(spoken_event("Good day", "rt_run_1"))
    receive(state, words("input", "Hello?", 0, 300))
    clock.now_s = 1.0
    assert end_connection(state) == [TurnEnded("user", "Hello?", "turn_2", "incomplete")]
    assert [each.event["type"] for each in state.retries] == ["session.commentary.append"]

    after = SessionState(state, kind="live", clock=clock, retries_lost=True, max_response_retries=2)
    receive(after, words("input", "And?", 0, 300))
    clock.now_s = 2.0
    end_connection(after)
    assert [each.event for each in after.retries] == [repeated_event("And?")]

    later = SessionState(after, kind="live", clock=clock, retries_lost=True, max_response_retries=2)
    clock.now_s = 99.0
    end_connection(later)
    assert later.retries == ()


@pytest.mark.parametrize(
    ("event", "effect"),
    [
        ({"type": "session.output_transcript.delta", "delta": 1}, EventMalformed),
        ({"type": "session.output_audio.delta"}, EventMalformed),
        ({"type": "response.done"}, EventUnknown),
        ({"type": "session.closed", "usage": 3, "reason": []}, Concluded),
    ],
)
def test_what_cannot_be_read_is_reported(state: SessionState, event: dict[str, Any], effect: type) -> None:
    """Nothing that an endpoint sends raises."""
    assert any(isinstance(each, effect) for each in receive(state, event))


def test_known_events_without_a_meaning_pass() -> None:
    """They are passed on, and not called unknown."""
    state = SessionState(kind="live")
    for kind in ("info", "decision.event", "session.thinking.appended", "transport.ringing"):
        assert receive(state, {"type": kind}) == []


def test_sound_that_cannot_be_decoded_is_left_to_its_player(state: SessionState) -> None:
    """Whoever plays it reports it."""
    assert receive(state, sound("???"))[-1] == AudioDelta("turn_1", "turn_1", "???")


def test_a_recording_that_is_played_is_no_turn(state: SessionState) -> None:
    """Its sound is heard, and what it says is the client's to know."""
    receive(state, {"type": "session.output_audio.fixture.playing"})
    assert receive(state, sound()) == [AudioDelta("", "fixture", LOUD)]
    receive(state, {"type": "session.output_audio.fixture.played"})
    assert not state.is_pending


def test_what_the_endpoint_cuts_off_by_itself_is_no_whole_turn(state: SessionState) -> None:
    """A session that it closes in mid-sentence has not answered, as a connection that is lost there has not."""
    receive(state, words("output", "The half of", 0, 100))

    assert receive(state, {"type": "session.closed", "reason": "expired", "usage": {"seconds": 3}}) == [
        Concluded(was_asked=False, reason="expired")
    ]
    assert TurnEnded("assistant", "The half of", "turn_1", "incomplete") in end_connection(state)


def test_a_voice_has_not_stopped_where_even_silence_has(state: SessionState, clock: Clock) -> None:
    """What sends silence between turns ends them by it; where nothing comes at all, the sentence goes on or is lost."""
    for _ in range(15):
        # 0.15 s each, at this rate.
        receive(state, sound(SILENT))
    clock.now_s = 1.0
    receive(state, sound())
    clock.now_s = 9.0
    assert (end_silent_turns(state), state.live.due_s(9.0)) == ([], 9.1)

    receive(state, sound(SILENT))
    assert state.live.due_s(9.0) == 2.5
    assert [type(each) for each in end_silent_turns(state)] == [ResponseEnded]
