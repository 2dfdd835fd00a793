"""Each turn as a JSON object: the answer beside its question, however the endpoint brings them."""

import json
from typing import Any

import pytest

from runner.api.session_types import SessionType
from runner.outputs.turn_objects import MAX_OPEN_TURNS, TurnObjects
from runner.protocol.connection_end import end_connection
from runner.protocol.effects import SessionEnded
from runner.protocol.receive import receive
from runner.protocol.state import SessionState
from runner.session.update import Update

USAGE = {"input_tokens": 5, "output_tokens": 2}


class Told:
    """What a session's events make of the output, each a tenth of a second after the one before."""

    def __init__(self, kind: SessionType = "realtime", **session: Any) -> None:
        self.lines = TurnObjects()
        self.state = SessionState(kind=kind)
        self.at_s = 1000.0
        self.turns: list[dict[str, Any]] = []
        table = {"type": kind, "id": "sess_1", **session}
        self.receives({"type": "session.created", "session": table})
        self.sends({"type": "session.update", "session": {"type": kind, **session}})
        self.receives({"type": "session.updated", "session": table})

    def sends(self, *events: dict[str, Any]) -> None:
        """The client sends these."""
        for event in events:
            self.state.send(event, self.at_s)

    def receives(self, *events: dict[str, Any]) -> None:
        """These come from the endpoint."""
        for event in events:
            self.at_s += 0.1
            self.takes(Update(event, receive(self.state, event), self.at_s, 1))

    def takes(self, update: Update) -> None:
        """The output gets an update."""
        self.turns += map(json.loads, self.lines.render([update]).splitlines())

    def asks(self, text: str, *, is_confirmed: bool = True) -> None:
        """The user says something and asks for a response."""
        item = {"id": f"q_{text}", "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        self.sends({"type": "conversation.item.create", "item": item}, {"type": "response.create", "event_id": text})
        if is_confirmed:
            self.receives({"type": "conversation.item.added", "item": item})

    def ends(self) -> None:
        """The session is over."""
        self.takes(Update(None, [*end_connection(self.state), SessionEnded()], self.at_s, 0))

    @property
    def brief(self) -> list[tuple[str | None, str, str]]:
        """What was said, answered, and with which status."""
        return [(turn["input"], turn["text"], turn["status"]) for turn in self.turns]


def response(number: int, text: str, *, status: str = "completed", **fields: Any) -> list[dict[str, Any]]:
    """A whole response in two pieces."""
    response_id, item_id = f"r{number}", f"a{number}"
    piece = {
        "type": "response.output_text.delta",
        "response_id": response_id,
        "item_id": item_id,
        "content_index": 0,
        "output_index": 0,
    }
    return [
        {"type": "response.created", "response": {"id": response_id}},
        *({**piece, "delta": each} for each in (text[:2], text[2:]) if each),
        {"type": "response.done", "response": {"id": response_id, "status": status, "usage": USAGE, **fields}},
    ]


def test_an_answer_stands_beside_its_question() -> None:
    """With its usage, and what it took from the moment of the request."""
    told = Told()
    told.asks("One?")
    told.receives(*response(1, "First."))
    told.asks("Two?", is_confirmed=False)
    told.receives(*response(2, "Second."))

    assert told.turns == [
        {
            "input": "One?",
            "text": "First.",
            "status": "completed",
            "usage": {
                "input_tokens": 5,
                "output_tokens": 2,
                "cached_tokens": 0,
                "input_text_tokens": 5,
                "output_text_tokens": 2,
            },
            "latencies": {"first_ms": 300, "done_ms": 500},
        },
        {**told.turns[1], "input": "Two?", "text": "Second.", "latencies": {"first_ms": 200, "done_ms": 400}},
    ]


def test_every_end_is_reported() -> None:
    """An answer that fails, one that is cut short, a request that is refused, and a question that nobody answers."""
    told = Told()
    told.asks("One?")
    error = {"type": "invalid_request_error", "code": "content_policy", "message": "No."}
    told.receives(*response(1, "", status="failed", status_details={"type": "failed", "error": error}))
    told.asks("Two?")
    told.receives(*response(2, "Sec", status="incomplete", status_details={"reason": "max_output_tokens"}))
    told.asks("Three?")
    told.receives({"type": "error", "error": {**error, "event_id": "Three?"}})
    told.asks("Four?")
    told.ends()

    assert told.brief == [
        ("One?", "", "failed"),
        ("Two?", "Sec", "incomplete"),
        ("Three?", "", "refused"),
        ("Four?", "", "unanswered"),
    ]
    assert "No." in told.turns[0]["error"]
    assert told.turns[1]["reason"] == "max_output_tokens"


def test_an_answer_that_calls_functions_is_one_turn() -> None:
    """What comes before the call and what follows upon it, with the usage of both."""
    told = Told()
    told.asks("Weather?")
    call = {"id": "c1", "type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
    told.receives(*response(1, "Let me see.", output=[call]))
    assert told.turns == []
    told.sends({"type": "response.create"})
    told.receives(*response(2, "Rain."))
    told.asks("And tomorrow?")
    told.receives(*response(3, "", output=[{**call, "id": "c2", "call_id": "c2"}]))
    told.ends()

    assert told.brief == [("Weather?", "Let me see.\nRain.", "completed"), ("And tomorrow?", "", "completed")]
    assert told.turns[0]["usage"]["input_tokens"] == 10


SPEECH: list[dict[str, Any]] = [
    {"type": "input_audio_buffer.speech_started", "item_id": "s1", "audio_start_ms": 0},
    {"type": "input_audio_buffer.speech_stopped", "item_id": "s1", "audio_end_ms": 900},
    {"type": "input_audio_buffer.committed", "item_id": "s1"},
]
WORDS = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "s1", "transcript": "Hello?"}
HEARING: dict[str, Any] = {
    "audio": {"input": {"transcription": {"model": "x"}, "turn_detection": {"type": "server_vad"}}}
}


def test_what_was_spoken_is_waited_for() -> None:
    """Its words may come after the answer; the time runs from the end of speech."""
    told = Told(**HEARING)
    told.receives(*SPEECH, *response(1, "Hi!"))
    assert told.turns == []
    told.receives(WORDS)

    assert told.brief == [("Hello?", "Hi!", "completed")]
    assert told.turns[0]["latencies"] == {"first_ms": 300, "done_ms": 500}


def test_without_a_transcription_the_question_is_not_known() -> None:
    """And where it fails either; the answer is told all the same."""
    silent, failing = Told(), Told(**HEARING)
    silent.receives(*SPEECH, *response(1, "Hi!"))
    failing.receives(
        *SPEECH,
        *response(1, "Hi!"),
        {"type": "conversation.item.input_audio_transcription.failed", "item_id": "s1", "error": {"message": "?"}},
    )

    assert silent.brief == failing.brief == [(None, "Hi!", "completed")]


@pytest.mark.parametrize("is_answered", [True, False])
def test_an_answer_that_is_lost_with_its_connection_begins_anew(is_answered: bool) -> None:
    """On the next one; where the session has none, what came of it is told."""
    told = Told(**HEARING)
    told.receives(*SPEECH, WORDS, *response(1, "Half of it")[:-1])
    told.takes(Update(None, end_connection(told.state), told.at_s, 0))
    if is_answered:
        told.state = SessionState(before=told.state)
        told.receives({"type": "session.created", "session": {"id": "sess_2", "type": "realtime"}})
        told.sends({"type": "response.create"})
        told.receives(*response(2, "Whole."))
    told.ends()

    assert told.brief == [("Hello?", "Whole.", "completed") if is_answered else ("Hello?", "Half of it", "lost")]


def test_of_a_transcription_each_turn_is_what_was_said() -> None:
    """There is no question, and a failure is told."""
    told = Told("transcription", **HEARING)
    told.receives(*SPEECH, {**WORDS, "usage": {"type": "duration", "seconds": 0.9}})
    failed = {"type": "conversation.item.input_audio_transcription.failed", "error": {"message": "Noise."}}
    told.receives(*({**each, "item_id": "s2"} for each in (*SPEECH, failed)))

    assert told.brief == [(None, "Hello?", "completed"), (None, "", "failed")]
    assert told.turns[0]["usage"]["transcription_s"] == 0.9
    assert told.turns[0]["latencies"]["done_ms"] == 200
    assert "Noise." in told.turns[1]["error"]


def test_what_never_ends_is_reported_in_bounds() -> None:
    """An endpoint that begins responses for ever costs no more than so many."""
    told = Told()
    for number in range(MAX_OPEN_TURNS + 2):
        told.receives({"type": "response.created", "response": {"id": f"r{number}"}})

    assert [turn["status"] for turn in told.turns] == ["lost", "lost"]
