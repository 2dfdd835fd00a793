"""A report says what a session was, from the records that its journal keeps."""

import json
from typing import Any

import jsonschema
import pytest

from runner.journal import session_report
from runner.journal.record import Direction, Record
from runner.journal.report_model import ReportedFailure, SessionReport
from runner.journal.session_report import report_of
from runner.journal.timeline import Timeline
from tests.conftest import REPOSITORY

SCHEMA = jsonschema.Draft202012Validator(json.loads((REPOSITORY / "schemas" / "report.schema.json").read_text()))
START_S = 1_763_850_860.25


def reported(*records: tuple[float, Direction, int, dict[str, Any]], **end: Any) -> dict[str, Any]:
    """The report of these records, as JSON that fits the published schema."""
    timeline = Timeline()
    for at_s, direction, epoch, event in records:
        timeline.take(Record(START_S + at_s, direction, epoch, event))
    report: SessionReport = report_of(timeline, **end)
    document: dict[str, Any] = json.loads(report.model_dump_json(exclude_none=True))
    SCHEMA.validate(document)
    return document


def delta(kind: str, piece: str, response_id: str = "r1") -> dict[str, Any]:
    """A piece of an answer."""
    return {"type": f"response.{kind}.delta", "response_id": response_id, "item_id": "a", "delta": piece}


def test_a_spoken_turn_has_its_latencies_and_what_was_heard_of_it() -> None:
    """From the end of speech to the first piece and the first audio; usage counts transcriptions, and has a price."""
    usage = {"input_tokens": 100, "output_tokens": 50, "output_token_details": {"audio_tokens": 50}}
    turn = {"item_id": "u"}
    report = reported(
        (0, "note", 0, {"type": "session.started", "profile": "p", "run_id": "r", "variables": {"customer": "Ada"}}),
        (0.5, "in", 1, {"type": "session.created", "session": {"id": "sess_1", "model": "m"}}),
        (1, "in", 1, {"type": "input_audio_buffer.speech_started", **turn}),
        (2, "in", 1, {"type": "input_audio_buffer.speech_stopped", **turn}),
        (2.3, "in", 1, {"type": "response.created", "response": {"id": "r1"}}),
        (2.4, "in", 1, delta("output_audio_transcript", "Good day")),
        (2.5, "in", 1, delta("output_audio", "AAAA" * 8000)),
        (2.6, "in", 1, {"type": "conversation.item.input_audio_transcription.completed", "transcript": "Hi", **turn,
                        "usage": {"type": "tokens", "input_tokens": 7, "output_tokens": 2}}),
        (2.8, "in", 1, {"type": "response.done", "response": {"id": "r1", "status": "completed", "usage": usage}}),
        (2.9, "out", 1, {"type": "conversation.item.truncate", "item_id": "a", "audio_end_ms": 300}),
        (3, "note", 0, {"type": "session.ended", "reason": "idle"}),
        exit_code=0,
        cost=0.001,
    )  # fmt: skip

    assert (report["id"], report["session_id"], report["variables"]) == ("report_r", "sess_1", {"customer": "Ada"})
    assert (report["started_at"], report["duration_s"]) == ("2025-11-22T22:34:20.250Z", 3.0)
    assert (report["reason"], report["exit_code"], report["interruptions"], report["cost"]) == ("idle", 0, 1, 0.001)
    user, assistant = report["turns"]
    assert user == {"at_s": 1.0, "role": "user", "text": "Hi", "spoke_s": 1.0}
    assert (assistant["first_s"], assistant["first_audio_s"], assistant["done_s"]) == (0.4, 0.5, 0.8)
    assert (assistant["text"], assistant["status"], assistant["heard_s"]) == ("Good day", "interrupted", 0.3)
    assert report["usage"]["output_audio_tokens"] == 50
    assert report["usage"]["transcription_input_tokens"] == 7


def test_an_answer_is_waited_for_from_the_question_though_tools_were_called() -> None:
    """What a response only calls is no answer; a filler meanwhile is one of its own, and a new question counts anew."""
    call = {"type": "function_call", "name": "look_up", "call_id": "c", "id": "i"}
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Well?"}]}
    ends = {"type": "response.done"}
    called: list[tuple[float, Direction, int, dict[str, Any]]] = [
        (1, "out", 1, {"type": "response.create"}),
        (1.1, "in", 1, delta("function_call_arguments", "{}")),
        (1.2, "in", 1, {**ends, "response": {"id": "r1", "status": "completed", "output": [call]}}),
        (2.5, "out", 1, {"type": "response.create", "response": {"conversation": "none"}}),
        (2.7, "in", 1, delta("output_text", "One moment.", "r2")),
        (2.8, "in", 1, {**ends, "response": {"id": "r2", "status": "completed"}}),
    ]
    answered: list[tuple[float, Direction, int, dict[str, Any]]] = [
        (4, "out", 1, {"type": "response.create"}),
        (4.5, "in", 1, delta("output_text", "Found.", "r3")),
    ]
    filler, found = reported(*called, *answered)["turns"]
    *_, anew = reported(*called, (3, "out", 1, {"type": "conversation.item.create", "item": item}), *answered)["turns"]

    assert (filler["text"], filler["first_s"]) == ("One moment.", 0.2)
    assert (found["text"], found["first_s"]) == ("Found.", 3.5)
    assert (anew["text"], anew["first_s"]) == ("Found.", 0.5)


def test_connections_calls_drift_and_errors_are_there() -> None:
    """A gap follows a loss, and none a connection that takes over in time; a call without a result is unanswered."""
    call = {"type": "function_call", "name": "look_up", "arguments": "{}"}
    calls = [{**call, "id": f"i{number}", "call_id": f"c{number}"} for number in (1, 2, 3)]
    created = {"type": "session.created", "session": {"id": "sess_1", "model": "m"}}
    report = reported(
        (0, "note", 1, {"type": "connection.opened"}),
        (0.1, "in", 1, created),
        (0.2, "out", 1, {"type": "session.update", "event_id": "e", "session": {"instructions": "Be brief."}}),
        (0.3, "in", 1, {"type": "session.updated", "session": {"type": "realtime", "instructions": "Be long."}}),
        (1, "in", 1, {"type": "response.created", "response": {"id": "r1"}}),
        (1.1, "in", 1, {"type": "response.done", "response": {"id": "r1", "status": "completed", "output": calls}}),
        (1.3, "note", 1, {"type": "tool.ended", "name": "look_up", "call_id": "c2", "outcome": "timeout"}),
        *((1.6, "out", 1, {"type": "conversation.item.create",
                           "item": {"type": "function_call_output", "call_id": each, "output": "x"}})
          for each in ("c1", "c2")),
        (2, "in", 1, {"type": "error", "error": {"message": "no", "code": "bad"}}),
        (3, "note", 1, {"type": "connection.closed", "by": "endpoint", "code": 1006, "reason": "gone"}),
        (3.5, "note", 2, {"type": "connection.opened"}),
        (9, "note", 3, {"type": "connection.opened"}),
        (9.1, "note", 2, {"type": "connection.closed", "by": "client", "code": 1000, "reason": "rollover"}),
        (9.9, "note", 4, {"type": "connection.opened", "forked": "live_3"}),
        reason="failed", exit_code=69, failure=ReportedFailure(message="the connection was lost"),
    )  # fmt: skip

    assert [(each["opened"], each.get("gap_s")) for each in report["connections"]] == [
        ("first", None),
        ("after-loss", 0.5),
        ("in-time", None),
        ("in-time", 0.8),
    ]
    assert (report["connections"][0]["why"], report["connections"][3]["forked"]) == ("gone", "live_3")
    assert [(each["name"], each["outcome"], each.get("took_s")) for each in report["calls"]] == [
        ("look_up", "ok", 0.5),
        ("look_up", "timeout", 0.5),
        ("look_up", "unanswered", None),
    ]
    assert report["errors"] == [{"at_s": 2.0, "message": "no", "code": "bad"}]
    assert "instructions" in report["drift"][0]
    assert (report["reason"], report["failure"]["message"]) == ("failed", "the connection was lost")


def test_what_is_no_words_is_reported_too() -> None:
    """Keys, silence, who spoke, in which language, and which part of an answer was a preamble."""
    prefix, turn = "conversation.item.input_audio_transcription", {"item_id": "u"}
    said = [
        {
            "type": "message",
            "id": phase,
            "role": "assistant",
            "phase": phase,
            "content": [{"type": "output_text", "text": phase}],
        }
        for phase in ("commentary", "final_answer")
    ]
    report = reported(
        (1, "in", 1, {"type": "input_audio_buffer.dtmf_event_received", "event": "5", "received_at": 1}),
        (2, "in", 1, {"type": "input_audio_buffer.timeout_triggered", "item_id": "w", "audio_end_ms": 6000}),
        (3, "in", 1, {"type": "input_audio_buffer.speech_started", **turn}),
        (4, "in", 1, {"type": f"{prefix}.segment", "text": "Hi.", "speaker": "A", **turn}),
        (5, "in", 1, {"type": f"{prefix}.completed", "transcript": "Hi.", "languages": [{"code": "en"}], **turn}),
        (6, "in", 1, {"type": "response.created", "response": {"id": "r1"}}),
        (7, "in", 1, {"type": "response.done", "response": {"id": "r1", "status": "completed", "output": said}}),
    )  # fmt: skip
    key, silence, user, answer = report["turns"]

    assert (key["text"], key["key"], silence["text"], silence["silent_s"]) == ("[key 5]", "5", "[silence]", 6.0)
    assert (user["segments"], user["languages"]) == ([{"speaker": "A", "text": "Hi."}], ["en"])
    assert answer["phases"] == ["commentary", "final_answer"]


def test_a_report_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest turns are told, and how many are not."""
    monkeypatch.setattr(session_report, "MOST_TURNS", 3)
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    said = [
        (float(n), "out", 1, {"type": "conversation.item.create", "item": {**item, "id": f"i{n}"}}) for n in range(8)
    ]
    report = reported(*said)  # type: ignore[arg-type]  # the directions are literals

    assert [turn["at_s"] for turn in report["turns"]] == [5.0, 6.0, 7.0]
    assert report["turns_left_out"] == 5
