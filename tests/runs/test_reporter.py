"""One report for each run, whatever becomes of it, and the same from its journal."""

import json
from pathlib import Path
from typing import Any

from tests.helpers.command_process import Command, local, profile
from tests.journal.test_session_report import SCHEMA

MORE = """
[variables]
customer = { default = "Ada" }
pin = { secret = true }
[journal]
path = "{run_id}.jsonl"
[report]
path = "reports/{profile}.jsonl"
"""


def reports(folder: Path) -> list[dict[str, Any]]:
    """The reports so far, each of which fits the schema."""
    lines = [json.loads(line) for line in (folder / "reports" / "test.jsonl").read_text().splitlines()]
    for each in lines:
        SCHEMA.validate(each)
    return lines


def test_every_session_has_its_report_and_a_journal_makes_the_same(tmp_path: Path) -> None:
    """Two at once share a file; a secret is in none; what only the run knows is not in the journal's."""
    name = local(tmp_path, more=MORE)
    flags = ("--set", "run.sessions=2", "--var", "pin=98127364")
    ended = Command("--profile", name, *flags, folder=tmp_path).end("My pin is 98127364\n")
    one, other = reports(tmp_path)
    again = Command("replay", "--report", *(f"{each['run_id']}.jsonl" for each in (one, other)), folder=tmp_path).end()

    assert ended.code == 0, ended.stderr
    assert one["id"] != other["id"]
    assert one["variables"] == {"customer": "Ada"}
    assert "98127364" not in json.dumps([one, other])
    assert [each["role"] for each in one["turns"]] == ["user", "assistant"]
    assert (one["reason"], one["exit_code"], one["profile"]) == ("input-end", 0, "test")
    assert one["files"] == {"journal": [f"{one['run_id']}.jsonl"]}
    for report, made in zip((one, other), map(json.loads, again.stdout.splitlines()), strict=True):
        SCHEMA.validate(made)
        del report["exit_code"]
        assert made == report


def test_a_run_without_a_session_is_reported_too(tmp_path: Path) -> None:
    """With its exit code and why."""
    endpoint = '[endpoint]\nkind = "custom"\nbase_url = "http://127.0.0.1:9/v1"\n'
    name = profile(tmp_path, endpoint + MORE + "[run.reconnect]\nmax_attempts = 0\n")
    ended = Command("--profile", name, folder=tmp_path).end("Hi\n")
    (report,) = reports(tmp_path)

    assert (ended.code, report["exit_code"], report["reason"]) == (69, 69, "failed")
    assert report["failure"]["message"]
    assert (report["session_id"], report["turns"]) == ("", [])


def test_a_report_that_cannot_be_written_ends_the_run_before_it_connects(tmp_path: Path) -> None:
    """Exit code 74, and no question is asked in vain."""
    name = local(tmp_path, more=MORE)
    (tmp_path / "reports").write_text("no folder")
    ended = Command("--profile", name, folder=tmp_path).end("Hi\n")

    assert (ended.code, ended.stdout) == (74, "")
    assert "the report reports/test.jsonl cannot be opened" in ended.logged("run_failed")["error"]
