"""A timeline says what a session's records mean."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.timeline_text import Palette, text
from runner.journal.assistant_side import IN_ROUTES as ANSWER_ROUTES
from runner.journal.record import Record
from runner.journal.rows import Row
from runner.journal.timeline import Timeline, timelines
from runner.protocol.event_table import KNOWN_TYPES
from tests.journal.test_record import AUDIO, JSON

START_S = 1_700_000_000.0
SESSION = {"type": "realtime", "id": "sess_1", "model": "m", "audio": {"output": {"format": {"type": "audio/pcm"}}}}


class Tape:
    """Records in the making."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.epoch = 1

    def _add(self, at_s: float, direction: Any, event: dict[str, Any]) -> None:
        self.records.append(Record(START_S + at_s, direction, self.epoch, event))

    def came(self, at_s: float, kind: str, **fields: Any) -> None:
        """A server event."""
        self._add(at_s, "in", {"type": kind, **fields})

    def went(self, at_s: float, kind: str, **fields: Any) -> None:
        """A client event."""
        self._add(at_s, "out", {"type": kind, **fields})

    def noted(self, at_s: float, kind: str, **fields: Any) -> None:
        """A note."""
        self._add(at_s, "note", {"type": kind, **fields})

    def said(self, at_s: float, text: str, item_id: str = "") -> None:
        """A message of the user."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content, **({"id": item_id} if item_id else {})}
        self.went(at_s, "conversation.item.create", item=item)

    def ended(self, at_s: float, response_id: str | int, **response: Any) -> None:
        """The end of a response."""
        self.came(at_s, "response.done", response={"id": response_id, "status": "completed", **response})

    def timeline(self) -> Timeline:
        """The only timeline."""
        (only,) = timelines(self.records)
        return only

    def rows(self, who: str) -> list[Row]:
        """The rows of this kind."""
        return [row for row in self.timeline().rows if row.who == who]


def test_a_question_and_its_answer() -> None:
    """Who said what when, with the latencies from the request and the tokens."""
    tape = Tape()
    tape.came(0, "session.created", session=SESSION)
    tape.said(1, "Hello")
    tape.went(1.5, "response.create", event_id="e1")
    tape.came(1.75, "response.created", response={"id": "r1"})
    for at_s, piece in ((2.0, "Good "), (2.5, "day")):
        tape.came(at_s, "response.output_text.delta", response_id="r1", item_id="i1", delta=piece)
    usage = {"input_tokens": 9, "output_tokens": 3, "input_token_details": {"cached_tokens": 4}}
    tape.ended(3.5, "r1", usage=usage)

    timeline, (user,), (assistant,) = tape.timeline(), tape.rows("user"), tape.rows("assistant")

    assert (timeline.header.session_id, timeline.header.model, timeline.header.duration_s) == ("sess_1", "m", 3.5)
    assert (user.at_s, user.text) == (1.0, "Hello")
    assert (assistant.at_s, assistant.text) == (1.75, "Good day")
    tokens = {"input_tokens": 9, "cached_tokens": 4, "output_tokens": 3}
    assert assistant.facts == {"first_s": 0.5, "status": "completed", "done_s": 2.0, **tokens}
    summary = timeline.summary()
    assert (summary.turns, summary.responses, summary.median_first_s, summary.max_first_s) == (1, 1, 0.5, 0.5)
    assert (summary.input_tokens, summary.cached_tokens, summary.output_tokens) == (9, 4, 3)


def test_speech_is_one_row_and_the_answer_counts_from_its_end() -> None:
    """Start, length and transcript of what was said belong together; audio has a length in seconds."""
    tape = Tape()
    tape.came(0, "session.created", session=SESSION)
    tape.went(0.5, "input_audio_buffer.append", audio={"bytes": 96_000, "sha256": "0"})
    tape.came(1, "input_audio_buffer.speech_started", item_id="u1")
    tape.came(3, "input_audio_buffer.speech_stopped", item_id="u1")
    tape.came(3.1, "input_audio_buffer.committed", item_id="u1")
    tape.came(3.2, "response.created", response={"id": "r1"})
    tape.came(3.4, "conversation.item.input_audio_transcription.completed", item_id="u1", transcript="Where?")
    sound = {"bytes": 48_000, "sha256": "0"}
    tape.came(3.5, "response.output_audio.delta", response_id="r1", item_id="a1", delta=sound)
    tape.came(3.6, "response.output_audio_transcript.delta", response_id="r1", item_id="a1", delta="Here.")
    tape.ended(4, "r1")

    (user,), (assistant,) = tape.rows("user"), tape.rows("assistant")

    assert (user.at_s, user.text, user.facts) == (1.0, "Where?", {"spoke_s": 2.0, "transcribed_s": 0.4})
    assert assistant.text == "Here."
    assert (assistant.facts["first_s"], assistant.facts["done_s"], assistant.facts["audio_s"]) == (0.5, 1.0, 1.0)
    assert (tape.timeline().summary().heard_s, tape.timeline().summary().spoken_s) == (2.0, 1.0)


def test_audio_that_the_client_commits_is_a_row_of_its_own() -> None:
    """Without turn detection the commit says when the user had spoken; kept audio counts as hashed audio does."""
    tape = Tape()
    session = {**SESSION, "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    tape.came(0, "session.updated", session=session)
    tape.went(1, "input_audio_buffer.append", audio=AUDIO)
    tape.went(1.1, "input_audio_buffer.commit")
    tape.came(1.2, "input_audio_buffer.committed", item_id="u1")
    tape.came(2, "conversation.item.input_audio_transcription.failed", item_id="u1", error={"message": "too quiet"})

    (user,) = tape.rows("user")

    assert user.facts == {"audio_s": 0.128, "error": "too quiet"}


@pytest.mark.parametrize("by", ["turn detection", "truncation"])
def test_an_interruption_is_seen_on_both_sides(by: str) -> None:
    """Turn detection cancels, or the client truncates what was not heard."""
    tape = Tape()
    tape.came(0, "response.created", response={"id": "r1"})
    tape.came(1, "response.output_audio_transcript.delta", response_id="r1", item_id="a1", delta="Once upon")
    tape.came(2, "input_audio_buffer.speech_started", item_id="u1")
    if by == "turn detection":
        tape.ended(2.1, "r1", status="cancelled", status_details={"reason": "turn_detected"})
    else:
        tape.went(2.1, "conversation.item.truncate", item_id="a1", content_index=0, audio_end_ms=700)
        tape.ended(2.2, "r1")

    (user,), (assistant,) = tape.rows("user"), tape.rows("assistant")

    assert user.facts["interrupts"] is True
    assert assistant.facts["status"] == "interrupted"
    assert assistant.facts.get("heard_s") == (0.7 if by == "truncation" else None)
    assert tape.timeline().summary().interruptions == 1


def test_a_tool_call_has_its_arguments_its_output_and_its_time() -> None:
    """The call is reported once, however many events repeat it."""
    tape = Tape()
    call = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "order", "arguments": '{"id":1}'}
    tape.came(1, "response.output_item.done", response_id="r1", item=call)
    tape.ended(1.5, "r1", output=[call])
    tape.went(2, "conversation.item.create", item={"type": "function_call_output", "call_id": "c1", "output": "sent"})

    (tool,), (assistant,) = tape.rows("tool"), tape.rows("assistant")

    assert (tool.at_s, tool.text, tool.facts) == (0.0, 'order({"id":1})', {"output": "sent", "took_s": 1.0})
    assert assistant.facts["calls"] == ["order"]


def test_an_endpoint_may_use_the_id_of_a_call_again() -> None:
    """Each call has its row, and an output that a history replay repeats is not one of the call in hand."""
    tape = Tape()
    for number in (1, 2):
        call = {"type": "function_call", "id": f"f{number}", "call_id": "c", "name": "order", "arguments": f"{number}"}
        output = {"type": "function_call_output", "id": f"o{number}", "call_id": "c", "output": f"sent {number}"}
        tape.ended(number, f"r{number}", output=[call])
        if number == 2:
            tape.went(number, "conversation.item.create", item={**output, "id": "o1", "output": "sent 1"})
        tape.went(number + 0.5, "conversation.item.create", item=output)

    told = [(row.text, row.facts["output"]) for row in tape.rows("tool")]
    assert told == [("order(1)", "sent 1"), ("order(2)", "sent 2")]


def test_a_tool_call_that_did_not_go_well_says_how() -> None:
    """What rt-run noted of a call stands in its row, and needs none of its own."""
    tape = Tape()
    call = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "order", "arguments": "{}"}
    tape.came(1, "response.output_item.done", response_id="r1", item=call)
    tape.noted(2, "tool.ended", name="order", call_id="c1", outcome="timed-out", duration_s=1.0)

    (tool,) = tape.rows("tool")
    assert tool.facts == {"outcome": "timed-out"}
    assert tape.rows("session") == []


def test_an_error_names_the_client_event_that_caused_it() -> None:
    """A request that was refused is not waited for any more."""
    tape = Tape()
    tape.went(0, "response.create", event_id="e1")
    error = {"message": "no", "code": "bad", "param": "p", "event_id": "e1"}
    tape.came(1, "error", error=error)
    tape.went(5, "response.create", event_id="e2")
    tape.came(6, "response.output_text.delta", response_id="r1", delta="x")

    (row,), (assistant,) = tape.rows("error"), tape.rows("assistant")

    assert row.text == "no"
    assert row.facts == {"code": "bad", "param": "p", "cause": "response.create", "cause_at_s": 0.0}
    assert assistant.facts["first_s"] == 1.0


def test_a_failed_response_counts_as_an_error() -> None:
    """Its reason stands beside it."""
    tape = Tape()
    tape.ended(1, "r1", status="failed", status_details={"error": {"message": "broken"}})

    (assistant,) = tape.rows("assistant")

    assert (assistant.facts["status"], assistant.facts["error"]) == ("failed", "broken")
    assert tape.timeline().summary().errors == 1


def test_a_lost_connection_and_its_replacement() -> None:
    """What was in flight is lost, what is said again is not reported twice, and a later repetition is."""
    tape = Tape()
    tape.noted(0, "connection.opened", endpoint="azure")
    tape.said(1, "Hello", "item_1")
    tape.came(2, "response.created", response={"id": "r1"})
    tape.noted(3, "connection.closed", code=1006, reason="")
    tape.epoch = 2
    tape.noted(4, "connection.opened", endpoint="azure")
    tape.said(5, "Hello", "item_1")
    tape.said(5, "Hello", "item_2")
    tape.went(5, "response.create")

    first, closed, second = tape.rows("connection")

    assert (first.text, first.facts) == ("connection 1 opened", {"note": {"endpoint": "azure"}})
    assert (closed.text, closed.facts) == ("connection 1 lost", {"note": {"code": 1006, "reason": ""}})
    assert (second.text, second.epoch) == ("connection 2 opened after a loss", 2)
    assert second.facts["restored_items"] == 1
    assert [row.at_s for row in tape.rows("user")] == [1.0, 5.0]
    assert tape.rows("assistant")[0].facts["status"] == "lost"
    assert (tape.timeline().summary().reconnects, tape.timeline().summary().rollovers) == (1, 0)


@pytest.mark.parametrize("closed_before", [True, False])
def test_a_rollover_is_no_loss(closed_before: bool) -> None:
    """The old connection may live on for a while, or we close it first."""
    tape = Tape()
    tape.noted(0, "connection.opened")
    if closed_before:
        tape.noted(1, "connection.closed", code=1000, by="client")
    tape.epoch = 2
    tape.noted(2, "connection.opened")

    assert tape.rows("connection")[-1].text == "connection 2 takes over"
    assert (tape.timeline().summary().reconnects, tape.timeline().summary().rollovers) == (0, 1)


def test_what_the_endpoint_configures_otherwise_is_reported() -> None:
    """Settings that were not asked for are not compared."""
    tape = Tape()
    asked: dict[str, Any] = {
        "instructions": "be kind",
        "prompt": None,
        "tools": [],
        "audio": {"output": {"voice": "marin"}},
    }
    tape.went(0, "session.update", session=asked)
    effective = {"instructions": "be kind", "audio": {"output": {"voice": "alloy"}}, "temperature": 1}
    tape.came(1, "session.updated", session=effective)

    (row,) = tape.rows("session")

    assert row.facts == {"differs": ['`session.audio.output.voice` is "alloy", asked for was "marin"']}


@pytest.mark.parametrize(
    ("asked", "effective"),
    [
        ({"max_output_tokens": "inf"}, {}),
        ({"truncation": "auto"}, {"truncation": {"type": "auto"}}),
        ({"audio": {"output": {"voice": {"id": "voice_1"}}}}, {"audio": {"output": {"voice": "voice_1"}}}),
        ({"audio": {"output": {"speed": 0.8}}}, {"audio": {"output": {"speed": 0.8000000119}}}),
    ],
)
def test_a_timeline_and_the_session_agree_on_drift(asked: dict[str, Any], effective: dict[str, Any]) -> None:
    """The same setting in other words is no drift in a session, and none in its timeline."""
    tape = Tape()
    tape.went(0, "session.update", session=asked)
    tape.came(1, "session.updated", session=effective)

    (row,) = tape.rows("session")

    assert row.facts == {}


def test_each_configuration_is_compared_with_the_updates_that_it_answers() -> None:
    """Not with a later update, nor with one that was refused, nor with one of another connection."""
    tape = Tape()
    tape.went(0, "session.update", event_id="e1", session={"instructions": "one"})
    tape.went(0, "session.update", event_id="e2", session={"instructions": "two"})
    tape.came(1, "session.updated", session={"instructions": "one"})
    tape.came(2, "error", error={"message": "no", "event_id": "e2"})
    tape.epoch = 2
    tape.came(3, "session.updated", session={"instructions": "three"})

    assert [row.facts for row in tape.rows("session")] == [{}, {}]


def test_a_translation_is_reported_in_stretches() -> None:
    """It has no turns; a pause ends a stretch."""
    tape = Tape()
    for at_s, delta in ((0, "Gu"), (1, "ten Tag"), (9, "Und")):
        tape.came(at_s, "session.output_transcript.delta", delta=delta)
    for elapsed_ms, delta in ((1000, "Good"), (2000, " day"), (4000, "And")):
        tape.came(9, "session.input_transcript.delta", delta=delta, elapsed_ms=elapsed_ms)
    tape.came(9, "session.output_audio.delta", delta={"bytes": 48_000, "sha256": "0"})

    assert [row.text for row in tape.rows("assistant")] == ["Guten Tag", "Und"]
    assert [row.text for row in tape.rows("user")] == ["Good day", "And"]
    assert tape.timeline().summary().spoken_s == 1.0


def test_the_end_of_a_translation_is_reported() -> None:
    """Its last words, and that they were the last."""
    tape = Tape()
    tape.came(0, "session.input_transcript.delta", delta="Good day")
    tape.went(1, "session.input_audio_buffer.append", audio={"bytes": 48_000, "sha256": "0"})
    tape.went(2, "session.close")
    tape.came(3, "session.closed")

    assert [row.text for row in tape.rows("session")] == ["concluded"]
    assert [row.text for row in tape.rows("user")] == ["Good day"]
    assert tape.timeline().summary().heard_s == 1.0


def test_every_session_of_a_journal_has_its_own_timeline() -> None:
    """A note says where one begins."""
    tape = Tape()
    tape.epoch = 0
    tape.noted(0, "session.started", profile="one")
    tape.noted(1, "session.ended", reason="input-end")
    tape.noted(100, "session.started", profile="two")

    first, second = timelines(tape.records)

    assert [each.header.profile for each in (first, second)] == ["one", "two"]
    assert [row.text for row in first.rows] == ["session ended"]
    assert list(timelines([])) == []


NAMES = (
    "response_id",
    "item_id",
    "id",
    "call_id",
    "event_id",
    "status",
    "delta",
    "transcript",
    "name",
    "code",
    "by",
    "text",
)
TABLES = ("response", "item", "session", "error", "status_details", "usage", "output", "content", "audio", "input")
LEAVES = JSON | st.sampled_from(("a", "b", "failed", "message", "function_call", "turn_detected"))
EVENTS = st.recursive(
    st.dictionaries(st.sampled_from(("type", *NAMES)), LEAVES, max_size=8),
    lambda inner: st.dictionaries(st.sampled_from(TABLES), inner | st.lists(inner, max_size=2) | LEAVES, max_size=4),
    max_leaves=6,
)
TYPES = (
    *KNOWN_TYPES, *ANSWER_ROUTES, "session.created", "session.updated", "error", "session.update", "response.create",
    "conversation.item.create", "conversation.item.truncate", "connection.opened", "connection.closed",
    "session.started", "session.output_transcript.delta",
)  # fmt: skip


RECORDS = st.lists(
    st.builds(
        lambda direction, epoch, kind, one, two: Record(START_S, direction, epoch, {**one, **two, "type": kind}),
        st.sampled_from(("in", "out", "note")),
        st.integers(0, 2),
        st.sampled_from(sorted(TYPES)),
        EVENTS,
        EVENTS,
    )
)


def test_side_fields_that_cannot_be_read_hide_no_row() -> None:
    """Ids that are numbers, usage of another shape, an error as plain text: what happened is shown all the same."""
    tape = Tape()
    tape.came(0, "session.created", session={"id": 7, "model": ["m"]})
    tape.came(0.1, "input_audio_buffer.speech_started", item_id=1, audio_start_ms=0.5)
    tape.came(0.5, "input_audio_buffer.speech_stopped", item_id=1)
    tape.came(0.6, "conversation.item.input_audio_transcription.completed", item_id=1, transcript="Hi", usage="free")
    tape.came(1, "response.created", response={"id": 2, "status": ["in_progress"]})
    tape.came(1.2, "response.output_text.delta", delta="Hel", item_id={})
    tape.came(1.3, "response.output_text.delta", response_id=2.0, delta="lo", item_id=3)
    tape.came(1.4, "error", error="out of luck", event_id=[])
    tape.went(1.5, "conversation.item.truncate", item_id=3, content_index=0, audio_end_ms=500.5)
    tape.ended(2, 2, usage={"input_tokens": "9", "output_tokens": 3.0}, status_details="fine", output=[5])
    tape.ended(3, 4, status="failed", status_details={"reason": 1, "error": "no words left"})

    assert tape.timeline().header.session_id == "7"
    assert [(row.text, row.facts["spoke_s"]) for row in tape.rows("user")] == [("Hi", 0.4)]
    answer, failed = tape.rows("assistant")
    assert (answer.text, answer.facts["heard_s"], answer.facts["output_tokens"]) == ("Hello", 0.5, 3)
    assert failed.facts["error"] == "no words left"
    assert [row.text for row in tape.rows("error")] == ["out of luck"]


@given(RECORDS)
def test_no_record_breaks_a_timeline(records: list[Record]) -> None:
    """Events come from outside and may hold anything, and people can read what they make."""
    for timeline in timelines(records):
        shown = text(timeline, Palette(coloured=False), width=60)
        assert all(each.isprintable() or each == "\n" for each in shown)
