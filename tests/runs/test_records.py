"""What a run keeps and counts: its journal, and its budget."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command_process import Command, Ended, local, profile

JOURNAL = """
[journal]
path = "{profile}.jsonl"
"""
CUT = 'endpoint.faults=[{kind="drop", after_events=12}]'
QUESTIONS = "one\ntwo\nthree\n"


def answered(folder: Path, *arguments: str, text: str = QUESTIONS, more: str = "") -> Ended:
    """Run the local profile on these questions."""
    return Command("--profile", local(folder, more=more), *arguments, folder=folder).end(text)


def test_a_journal_tells_of_a_loss(tmp_path: Path) -> None:
    """Every event of both connections is there, in order; `replay` shows who said what, and where it broke."""
    ended = answered(tmp_path, "--set", CUT, more=JOURNAL)
    records = [json.loads(line) for line in (tmp_path / "test.jsonl").read_text().splitlines()]
    shown = Command("replay", "test.jsonl", folder=tmp_path).end()

    assert ended.code == 0
    assert {record["epoch"] for record in records} == {0, 1, 2}
    notes = [record["event"]["type"] for record in records if record["direction"] == "note"]
    assert notes == [
        "session.started",
        "connection.opened",
        "connection.closed",
        "connection.opened",
        "connection.closed",
        "session.ended",
    ]
    sent = [record["event"]["type"] for record in records if record["direction"] == "out" and record["epoch"] == 2]
    assert sent[0] == "session.update"
    assert "1 reconnect" in shown.stdout
    assert re.search(r"assistant +You said: three\n", shown.stdout)


def test_an_incident_can_be_played_back(tmp_path: Path) -> None:
    """`serve-local --journal` says to another client what the endpoint said then."""
    answered(tmp_path, text="one\ntwo\n", more=JOURNAL)
    command = [sys.executable, "-m", "runner", "serve-local", "--listen", "127.0.0.1:0", "--journal", "test.jsonl"]
    with subprocess.Popen([*command, "--speed", "0"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            endpoint = f'[endpoint]\nkind = "custom"\nbase_url = "{server.stdout.readline().strip()}"\n'
            name = profile(tmp_path, endpoint + '[model]\nname = "test"\n[session]\noutput_modalities = ["text"]\n')
            ended = Command("--profile", name, folder=tmp_path).end("one\ntwo\n")
        finally:
            server.terminate()

    assert (ended.code, ended.stdout) == (0, "You said: one\nYou said: two\n")


def test_no_secret_reaches_the_journal(tmp_path: Path) -> None:
    """Not even where an event repeats it."""
    secret = "sk-very-secret-0123456789"  # not one
    endpoint = '[endpoint]\nkind = "custom"\nbase_url = "{url}"\n[auth]\nkind = "api-key"\n'
    key = 'api_key = { env = "KEY" }\n[model]\nname = "x"\n[session]\noutput_modalities = ["text"]\n'
    command = [sys.executable, "-m", "runner", "serve-local", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            name = profile(tmp_path, endpoint.format(url=server.stdout.readline().strip()) + key + JOURNAL)
            ended = Command("--profile", name, folder=tmp_path, environment={"KEY": secret}).end(
                f"my key is {secret}\n"
            )
        finally:
            server.terminate()

    assert ended.code == 0
    assert secret not in (tmp_path / "test.jsonl").read_text()


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("max_turns = 2", "max_turns"),
        ("max_output_tokens = 6", "max_output_tokens"),
        ("max_cost = 0.00003", "max_cost"),
    ],
)
def test_a_spent_budget_ends_a_run_well(tmp_path: Path, limit: str, reason: str) -> None:
    """What is in flight is answered, the reason is named, and nothing has failed."""
    prices = "\n[run.limits.prices]\noutput_text = 1.0\ninput_text = 0.5\n"
    ended = answered(tmp_path, more=f"[run.limits]\n{limit}{prices}")

    assert ended.code == 0
    assert ended.logged("limit_reached")["name"] == reason
    closed = ended.logged("session_closed")
    assert (closed["reason"], closed["responses"]) == (reason, 2)
    assert closed["cost"] == pytest.approx(
        closed["output_text_tokens"] / 1e6 + closed["input_text_tokens"] * 0.5 / 1e6, rel=0.1
    )


def test_idle_time_and_duration_end_a_run(tmp_path: Path) -> None:
    """Somebody who says nothing for long enough is not waited for."""
    for limit in ("max_idle_s", "max_duration_s"):
        name = local(tmp_path, more=f'[input]\nkind = "none"\n[run.limits]\n{limit} = 0.5\n')
        ended = Command("--profile", name, folder=tmp_path).end()

        assert (ended.code, ended.logged("session_closed")["reason"]) == (0, limit)


def test_errors_in_a_row_end_a_run_with_the_last_one(tmp_path: Path) -> None:
    """The exit code is the error's."""
    fault = 'endpoint.faults=[{kind="response-failed", code="content_policy", type="x", responses=0, times=0}]'
    ended = answered(tmp_path, "--set", fault, more="[run.limits]\nmax_consecutive_errors = 2\n")

    assert (ended.code, ended.logged("session_closed")["reason"]) == (76, "max_consecutive_errors")


def test_what_waits_is_written_even_where_the_end_is_forced(tmp_path: Path) -> None:
    """A second signal forgoes the answer, not the record of it."""
    journal = JOURNAL + "flush_interval_s = 60\n"
    command = Command("--profile", local(tmp_path, interval_ms=500, more=journal), folder=tmp_path)
    command.write("one two three four five\n")
    command.read(len("You said"))
    command.send_signal(signal.SIGINT)
    command.wait_for_log("signal_received")
    command.send_signal(signal.SIGINT)
    ended = command.end()

    types = [json.loads(line)["event"]["type"] for line in (tmp_path / "test.jsonl").read_text().splitlines()]
    assert ended.code == 130
    assert "response.output_text.delta" in types
    assert types[-1] == "session.ended"


def test_attempts_that_failed_are_in_the_journal(tmp_path: Path) -> None:
    """With their reasons, where nothing else is."""
    fault = 'endpoint.faults=[{kind="refuse", status=403, times=0}]'
    ended = answered(tmp_path, "--set", fault, more=JOURNAL)
    shown = Command("replay", "test.jsonl", folder=tmp_path).end()

    assert ended.code == 77
    assert "connection failed" in shown.stdout
    assert "403" in shown.stdout
