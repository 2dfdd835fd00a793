"""`rt-run replay` shows what a journal holds, to people and to programs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.cli.timeline_text import Palette, text
from runner.journal.record import Record, line
from runner.journal.timeline import timelines

START_S = 1_763_850_860.25
SESSION = {"type": "realtime", "id": "sess_1", "model": "gpt-realtime-2"}
RECORDS = [
    Record(START_S, "note", 0, {"type": "session.started", "profile": "support"}),
    Record(START_S + 0.3, "note", 1, {"type": "connection.opened", "endpoint": "azure"}),
    Record(START_S + 0.4, "in", 1, {"type": "session.created", "session": SESSION}),
    Record(
        START_S + 1,
        "out",
        1,
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi\x1b[2J there"}]},
        },
    ),
    Record(START_S + 1, "out", 1, {"type": "response.create", "event_id": "e1"}),
    Record(START_S + 1.2, "in", 1, {"type": "response.created", "response": {"id": "r1"}}),
    Record(
        START_S + 1.5,
        "in",
        1,
        {"type": "response.output_text.delta", "response_id": "r1", "item_id": "a", "delta": "Hello"},
    ),
    Record(START_S + 2, "in", 1, {"type": "response.done", "response": {"id": "r1", "status": "completed"}}),
    Record(START_S + 3, "in", 1, {"type": "error", "error": {"message": "no", "code": "bad", "event_id": "e1"}}),
    Record(START_S + 4, "note", 1, {"type": "connection.closed", "code": 1001, "reason": "too long"}),
]
SHOWN = """\
session sess_1   model gpt-realtime-2   profile support
2025-11-22 22:34:20 UTC   0:04.000 long   1 connection

    0:00.300  connection  connection 1 opened
                          session id sess_1 · endpoint azure
    0:01.000  user        Hi [2J there
    0:01.200  assistant   Hello
                          completed · first after 0.50 s · done after 1.00 s
    0:03.000  error       no
                          code bad
                          caused by response.create at 0:01.000
    0:04.000  connection  connection 1 closed by the endpoint
                          code 1001 · reason too long

1 turn · 1 response · 0 tool calls · 0 interruptions · 0 reconnects · 0 rollovers · 1 error
first piece of an answer: median 0.50 s, at most 0.50 s
tokens: 0 in (0 cached), 0 out
audio: 0.00 s sent, 0.00 s received
"""
RtRun = Callable[..., Any]


def lines(records: list[Record]) -> str:
    """The content of a journal."""
    return "".join(line(each, audio="hash") + "\n" for each in records)


def test_a_session_is_shown_to_people(rt_run: RtRun, tmp_path: Path) -> None:
    """Every row has its time, and nothing of the endpoint's can rewrite a screen."""
    (tmp_path / "j").write_text(lines(RECORDS))

    ended = rt_run("replay", "j")

    assert ended == (0, SHOWN, "")


def test_a_session_is_shown_to_programs(rt_run: RtRun, tmp_path: Path) -> None:
    """The same as JSON, one object a session."""
    (tmp_path / "j").write_text(lines(RECORDS + RECORDS))

    first, second = json.loads(rt_run("replay", "j", "--output", "json").out)

    assert first == second
    assert first["session"]["profile"] == "support"
    assert [row["who"] for row in first["rows"]] == ["connection", "user", "assistant", "error", "connection"]
    assert first["rows"][2]["facts"] == {"first_s": 0.5, "status": "completed", "done_s": 1.0}
    assert first["summary"]["responses"] == 1


def test_set_aside_files_belong_to_their_journal(rt_run: RtRun, tmp_path: Path) -> None:
    """They are read first, and once, even where a pattern names them too."""
    (tmp_path / "j.2").write_text(lines(RECORDS[:3]))
    (tmp_path / "j.1").write_text(lines(RECORDS[3:6]))
    (tmp_path / "j").write_text(lines(RECORDS[6:]))

    assert rt_run("replay", "j").out == SHOWN
    assert rt_run("replay", "j", "j.1", "j.2").out == SHOWN
    assert "connection 1 opened" not in rt_run("replay", "j.1").out.partition("0:01")[2]


def test_several_journals_are_shown_one_after_the_other(rt_run: RtRun, tmp_path: Path) -> None:
    """An empty line or two stand between them."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(lines(RECORDS))

    assert rt_run("replay", "a", "b").out == f"{SHOWN}\n\n{SHOWN}"


def test_a_cut_line_is_left_out_and_reported(rt_run: RtRun, tmp_path: Path) -> None:
    """The warning has the number of the line."""
    (tmp_path / "j").write_text(lines(RECORDS[:4]) + '{"at_s":\n' + lines(RECORDS[4:]) + '{"at')

    ended = rt_run("replay", "j")

    assert ended == (0, SHOWN, "warning: j:5: not JSON\nwarning: j:12: not JSON\n")


def test_an_empty_journal_is_reported(rt_run: RtRun, tmp_path: Path) -> None:
    """There is nothing to show, which is no failure."""
    (tmp_path / "j").write_text("")

    assert rt_run("replay", "j") == (0, "", "warning: j is empty: nothing was recorded\n")
    assert json.loads(rt_run("replay", "j", "--output", "json").out) == []


@pytest.mark.parametrize("name", ["missing", ".", "profile.toml"])
def test_another_file_is_refused(rt_run: RtRun, tmp_path: Path, name: str) -> None:
    """One message, no traceback, exit code 74."""
    (tmp_path / "profile.toml").write_text('version = 1\n[endpoint]\nkind = "local"\n')

    ended = rt_run("replay", name)

    assert (ended.code, ended.out) == (74, "")
    assert ended.err.startswith("rt-run: the ")
    assert name in ended.err.splitlines()[0]


def test_colours_are_asked_for_or_not_there(rt_run: RtRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`FORCE_COLOR` brings them to a file, `NO_COLOR` wins over it."""
    (tmp_path / "j").write_text(lines(RECORDS))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = rt_run("replay", "j").out
    monkeypatch.setenv("NO_COLOR", "1")
    plain = rt_run("replay", "j").out

    assert "\x1b[1;31merror" in coloured
    assert "\x1b[2J" not in coloured
    assert plain == SHOWN


def test_long_lines_are_broken_at_the_edge() -> None:
    """On a terminal what is said stays in its column."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "word " * 40}]}
    (timeline,) = timelines([Record(START_S, "out", 1, {"type": "conversation.item.create", "item": item})])

    shown = text(timeline, Palette(coloured=False), width=70)

    rows = [each for each in shown.splitlines() if "word" in each]
    assert len(rows) > 4
    assert all(len(each) <= 70 and each[26:].startswith("word") for each in rows)
