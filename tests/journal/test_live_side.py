"""A Live session in a timeline and in a report."""

import pytest

from runner.journal.session_report import report_of
from runner.protocol.typed_text import repeated_event
from runner.settings.prices import Prices
from tests.helpers.live_peer import words
from tests.journal.test_timeline import Tape

SESSION = {"id": "live_1", "model": "gpt-live-1.1", "audio": {"format": {"type": "audio/pcm", "rate": 24000}}}
TENTH = {"bytes": 4_800, "sha256": "0"}


def test_a_live_session_is_reported_in_turns() -> None:
    """Both voices, what was typed, how soon it was answered, and how long all of it has lasted."""
    tape = Tape()
    tape.went(0, "session.start", session={"model": "gpt-live-1.1", "instructions": "Be brief."})
    tape.came(1, "session.started", session=SESSION)
    tape.went(1, "session.input_audio.append", audio=TENTH)
    for at_s, voice, delta, start_ms, end_ms in (
        (2, "input", " Good", 0, 500),
        (2, "input", " day", 500, 900),
        (3, "output", " Hi", 1500, 1800),
        (9, "output", "Still there?", 7000, 7900),
    ):
        tape.came(
            at_s,
            **{"kind" if key == "type" else key: each for key, each in words(voice, delta, start_ms, end_ms).items()},
        )
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "order", "arguments": "{}"}
    for event in (
        {"type": "response.output_item.done", "item": {**call, "status": "completed"}},
        {"type": "response.completed", "response": {"id": "resp_1", "usage": {"input_tokens": 8, "output_tokens": 2}}},
    ):
        tape.came(9, "response.event", delegation_id="dlg_1", event=event)
    output = {"type": "function_call_output", "call_id": "call_1", "output": "shipped"}
    tape.went(9, "response.item.create", item=output)
    tape.went(9, "response.create")
    tape.came(9, "session.output_audio.delta", delta=TENTH)
    tape.came(20, "session.output_audio.delta", delta=TENTH)
    typed = "The user has typed what follows. Answer it aloud.\n\nBye"
    tape.went(21, "session.instructions.append", content=typed, delegation_id=None)
    tape.went(22, "session.commentary.append", content="Goodbye", delegation_id=None)
    tape.came(23, "session.usage.updated", usage={"seconds": 20})
    tape.came(24, "session.closed", reason="close_requested", usage={"seconds": 24})

    said = [(row.who, row.text) for row in tape.timeline().rows if row.who in {"user", "assistant", "system"}]
    assert said == [
        ("user", "Good day"),
        ("assistant", "Hi"),
        ("assistant", "Still there?"),
        ("user", "Bye"),
        ("system", "[commentary] Goodbye"),
    ]
    timeline = tape.timeline()
    report = report_of(timeline, cost=timeline.usage.cost(Prices(live_minute=0.05)))
    assert [turn.first_s for turn in report.turns if turn.role == "assistant"] == [1.0, None]
    assert (report.session_id, report.model, report.usage, report.cost) == (
        "live_1",
        "gpt-live-1.1",
        {"input_tokens": 8, "input_text_tokens": 8, "output_tokens": 2, "output_text_tokens": 2, "live_s": 24.0},
        0.02,
    )
    assert [(call.name, call.outcome) for call in report.calls] == [("order", "ok")]
    assert (report.heard_s, report.spoken_s, report.drift) == (
        0.1,
        0.1,
        ['`session.instructions` is missing, asked for was "Be brief."'],
    )


def test_an_answer_that_was_spoken_over_is_reported_as_interrupted() -> None:
    """With how long it was heard; one that goes on, or that has ended its sentence, is completed."""
    tape = Tape()
    tape.went(0, "session.start", session={"model": "gpt-live-1.1"})
    tape.came(0, "session.started", session=SESSION)
    for voice, delta, start_ms, end_ms in (
        ("output", "It will be", 0, 700),
        ("input", "Stop", 650, 900),
        ("output", "I", 1400, 1500),
        ("input", "Mhm", 1450, 1600),
        ("output", " stop.", 1500, 4000),
        ("input", "Thanks", 3900, 4200),
    ):
        event = words(voice, delta, start_ms, end_ms)
        tape.came(end_ms / 1000, event.pop("type"), **event)
    report = report_of(tape.timeline())

    answers = [(turn.text, turn.status, turn.heard_s) for turn in report.turns if turn.role == "assistant"]
    assert answers == [("It will be", "interrupted", 0.7), ("I stop.", "completed", None)]
    assert report.interruptions == 1


@pytest.mark.parametrize(("is_silent", "status"), [(False, "completed"), (True, "lost")])
def test_what_was_being_said_on_a_connection_that_is_lost_is_lost(is_silent: bool, status: str) -> None:
    """An answer is whole after a breath; where silence comes all the time, only that tells of one."""
    tape = Tape()
    tape.went(0, "session.start", session={"model": "gpt-live-1.1"})
    tape.came(0, "session.started", session=SESSION)
    if is_silent:
        tape.came(1, "session.output_audio.delta", delta={"bytes": 96_000, "sha256": "0"})
    event = words("output", "The half of", 0, 700)
    tape.came(2, event.pop("type"), **event)
    tape.noted(5, "connection.closed", by="endpoint", code=1006)
    tape.went(6, "session.instructions.append", content=repeated_event("Why?")["content"])
    turns = report_of(tape.timeline()).turns
    assert [(turn.role, turn.status) for turn in turns] == [("assistant", status)]
    assert [row.facts for row in tape.timeline().rows if row.text == "asked again"] == [{"words": "Why?"}]
