"""A run whose model calls tools and hangs up, through the real command."""

import json
from pathlib import Path
from typing import Any

from tests.helpers.command_process import Command, profile

AGENT = """
[endpoint]
kind = "local"
delta_interval_ms = 0
script = [
  { match = "order (\\\\d+)", reply = "I look.", calls = [{ name = "order", arguments = { number = "\\\\1" } }] },
  { match = "bye", calls = [{ name = "end_session" }] },
  { match = "leave", reply = "Good-bye!", calls = [{ name = "end_session" }] },
  { output = "Say good-bye", reply = "Bye, then." },
]
[session]
output_modalities = ["text"]
[[tools]]
name = "order"
parameters = { type = "object", properties = { number = { type = "string" } } }
run = { kind = "command", argv = ["cat"] }
[run.tools]
hang_up = true
[[outputs]]
kind = "stdout"
[[outputs]]
kind = "transcript"
path = "said.jsonl"
[[outputs]]
kind = "events"
path = "events.jsonl"
[journal]
path = "journal.jsonl"
"""


def rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of JSON."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_model_calls_a_tool_and_hangs_up(tmp_path: Path) -> None:
    """The answer uses the result, every record has the call, and the run ends by itself with exit code 0."""
    profile(tmp_path, AGENT)

    ended = Command("--profile", "test", folder=tmp_path).end("Where is order 7?\nbye\n")

    assert (ended.code, ended.stdout) == (0, 'I look.\nThe function answered: {"number":"7"}\nBye, then.\n')
    closed = ended.logged("session_closed")
    assert (closed["reason"], closed["tool_calls"], closed["responses"]) == ("hung-up", 2, 4)
    tool, hang_up = [row for row in rows(tmp_path / "said.jsonl") if row["role"] == "tool"]
    assert (tool["name"], tool["arguments"], tool["text"], tool["status"]) == (
        "order",
        '{"number":"7"}',
        '{"number":"7"}',
        "ok",
    )
    assert hang_up["name"] == "end_session"
    own = [row for row in rows(tmp_path / "events.jsonl") if row["type"] == "rt_run.function_answered"]
    assert [(row["name"], row["outcome"]) for row in own] == [("order", "ok"), ("end_session", "ok")]
    notes = [row["event"] for row in rows(tmp_path / "journal.jsonl") if row["direction"] == "note"]
    assert [note["name"] for note in notes if note["type"] == "tool.ended"] == ["order", "end_session"]
