"""Runs that go on with the session of another process, through the real command."""

import json
import os
import shutil
from pathlib import Path
from signal import SIGTERM
from typing import Any

from runner.resume.opened_state import header_of
from runner.resume.saved_state import first_line, line
from runner.resume.state_model import SavedItem, SavedRequest, SavedWork, StateChange
from tests.helpers.command_process import Command, Ended, local, profile

RESUME = '[run.resume]\npath = "{profile}.state"\n'
SLOW = """
[endpoint]
kind = "local"
script = [{ match = "order", calls = [{ name = "pay" }] }]
[session]
output_modalities = ["text"]
[[tools]]
name = "pay"
run = { kind = "command", argv = ["sh", "-c", "echo paid >> world; echo > began; exec sleep 60"] }
[run]
grace_s = 0
until = "signal"
resume = { path = "state" }
"""


def run(folder: Path, *arguments: str, text: str = "", **options: Any) -> Ended:
    """Run a profile to its end."""
    command = Command("--log-format", "json", *arguments, folder=folder, **options)
    ended = command.end(text)
    command.release()
    return ended


def test_limits_hold_for_all_processes_of_a_session(tmp_path: Path) -> None:
    """The third answer is the last one, whoever gives it; `--fresh` begins anew; each report has a part."""
    prices = "[run.limits.prices]\noutput_text = 1000000.0\n[report]\npath = 'reports'\n"
    name = local(tmp_path, more=RESUME + "[run.limits]\nmax_turns = 3\n" + prices)
    first = run(tmp_path, "-p", name, text="one\ntwo\n")
    second = run(tmp_path, "-p", name, text="three\nfour\n")
    third = run(tmp_path, "-p", name, text="five\n")
    fresh = run(tmp_path, "-p", name, "--fresh", "--ask", "six")

    assert [each.code for each in (first, second, third, fresh)] == [0, 0, 0, 0]
    assert [each.stdout for each in (first, second, third, fresh)] == [
        "You said: one\nYou said: two\n",
        "You said: three\n",
        "",
        "You said: six\n",
    ]
    closed = [each.logged("session_closed") for each in (first, second, third, fresh)]
    assert [each["reason"] for each in closed] == ["input-end", "max_turns", "max_turns", "input-end"]
    assert [each["responses"] for each in closed] == [2, 3, 3, 1]
    assert len({each["session_id"] for each in closed[:3]}) == 1
    assert second.logged("state_resumed")["items"] == 4
    reports = [json.loads(each) for each in (tmp_path / "reports").read_text().splitlines()]
    assert [each["session_id"] for each in reports] == [each["session_id"] for each in closed]
    assert [each["cost"] for each in reports] == [each["usage"].get("output_tokens", 0) for each in reports]
    assert sum(each["cost"] for each in reports[:3]) == closed[2]["cost"]


def test_what_an_earlier_process_has_asked_is_not_the_answer_to_a_new_question(tmp_path: Path) -> None:
    """The turn that was in flight is answered first, and a run that ends with its first answer does not end with it."""
    name = local(tmp_path, more=RESUME + '[run]\nuntil = "response-done"\n')
    old = SavedItem(id="item_1", type="message", role="user", texts={0: "old"}, is_announced=True)
    asked = SavedRequest(event_id="event_000002", event={"type": "response.create"})
    change = StateChange(at_s=1.0, starts=1, session_id="s", items=(old,), work=SavedWork(requests=(asked,)))
    (tmp_path / "test.state").write_bytes(first_line(header_of("test", {})) + line(change))

    ended = run(tmp_path, "-p", name, text="new\n")

    assert (ended.code, ended.stdout) == (0, "You said: old\nYou said: new\n")
    assert ended.logged("state_resumed")["asked_again"] == 1


def test_a_state_that_is_refused_says_why(tmp_path: Path) -> None:
    """Another profile's state, one that is in use, and a full disk: each has its reason and its exit code."""
    name = local(tmp_path, more=RESUME + '[run]\nuntil = "signal"\n')
    other = profile(tmp_path, 'extends = "test"\n', name="other")
    command = Command("-p", name, "--log-format", "json", folder=tmp_path)
    command.write("one\n")
    assert command.read(len("You said: one\n")) == "You said: one\n"
    in_use = run(tmp_path, "-p", name)
    command.send_signal(SIGTERM)
    assert command.end().code == 0
    command.release()
    before = (tmp_path / "test.state").read_bytes()
    shutil.copy(tmp_path / "test.state", tmp_path / "other.state")
    foreign = run(tmp_path, "-p", other)
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before)}, {len(before)}))"
    full = run(tmp_path, "-p", name, "--set", "run.until=input-end", text="two\n", before=limit)

    assert [each.code for each in (in_use, foreign, full)] == [74, 78, 74]
    assert "another process goes on with this session" in in_use.logged("run_failed")["error"]
    assert "is of the profile 'test', not of 'other'" in foreign.logged("run_failed")["error"]
    assert "the state test.state cannot be written: File too large" in full.logged("run_failed")["error"]
    assert (tmp_path / "test.state").read_bytes() == before


def test_a_deploy_in_the_middle_of_a_call_runs_it_no_second_time(tmp_path: Path) -> None:
    """Stopped while a program runs that must not be run twice: the model learns that nobody knows its outcome."""
    name = profile(tmp_path, SLOW)
    os.mkfifo(tmp_path / "began")
    command = Command("-p", name, "--log-format", "json", "-v", folder=tmp_path)
    command.write("order\n")
    assert (tmp_path / "began").read_text() == "\n"
    command.send_signal(SIGTERM)
    first = command.end()
    command.release()
    second = run(tmp_path, "-p", name, "--set", "run.until=input-end")

    assert (first.code, second.code) == (143, 0)
    assert (tmp_path / "world").read_text() == "paid\n"
    assert second.logged("tool_interrupted")["tool"] == "pay"
    assert "interrupted, outcome unknown" in second.stdout
