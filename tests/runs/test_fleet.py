"""Many sessions in one process: what they share, and what none of them does to another."""

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from runner.runs.fleet import OPENING_AT_ONCE
from tests.helpers.command_process import Command, Ended, local, profile
from tests.helpers.peer import Peer, serving

AWAY = (
    '[endpoint]\nkind = "custom"\nbase_url = "http://127.0.0.1:9/v1"\n[model]\nname = "x"\n'
    "[run.reconnect]\nmax_attempts = 0\n"
)
CUSTOM = '[endpoint]\nkind = "custom"\nbase_url = "http://127.0.0.1:{port}/v1"\n[model]\nname = "test"\n'
STDOUT = '[[outputs]]\nkind = "stdout"\n'
FILES = STDOUT + '[[outputs]]\nkind = "events"\npath = "said/{session}.jsonl"\n'
QUESTION = "one two three four five six seven eight nine ten\n"
WAIT_S = 50.0


def sessions(number: int) -> tuple[str, str]:
    """The flag for so many sessions."""
    return "--set", f"run.sessions={number}"


def closed(ended: Ended) -> list[dict[str, Any]]:
    """The last log lines of all sessions, by their numbers."""
    return sorted((line for line in ended.log if line["event"] == "session_closed"), key=lambda line: line["session"])


def wait_for_answers(folder: Path, number: int) -> None:
    """Wait until so many sessions are in mid-answer."""
    deadline_s = time.monotonic() + WAIT_S
    files = [folder / "said" / f"{each}.jsonl" for each in range(1, number + 1)]
    while not all(each.exists() and "output_text.delta" in each.read_text() for each in files):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_every_session_gets_every_question(tmp_path: Path) -> None:
    """Twenty sessions, two lines, forty answers, and a log that says which session each line is about."""
    ended = Command("-p", local(tmp_path), *sessions(20), folder=tmp_path).end("Hello\nWhat is new?")

    assert ended.code == 0
    assert Counter(ended.stdout.splitlines()) == {
        f"test-{number} | You said: {text}": 1 for number in range(1, 21) for text in ("Hello", "What is new?")
    }
    assert [line["session"] for line in closed(ended)] == list(range(1, 21))
    assert ended.logged("sessions_ended")["total"] == 20
    assert ended.logged("sessions_ended")["exit_codes"] == {"0": 20}
    told = {(each["session"], each["run_id"]) for each in ended.log if "session" in each}
    opened = {(each["session"], each["session_id"]) for each in ended.log if each.get("session_id")}
    assert len(told) == len(opened) == len({run_id for _, run_id in told}) == 20


def test_one_session_is_reported_as_ever(tmp_path: Path) -> None:
    """Nothing of a crowd shows where there is none."""
    ended = Command("-p", local(tmp_path), folder=tmp_path).end("Hello\n")

    assert not any("session" in line for line in ended.log)
    assert "sessions_ended" not in ended.stderr


def test_a_profile_that_fails_leaves_the_other_alone(tmp_path: Path) -> None:
    """One endpoint is away: the other profile's session answers, and the exit code is that of the failure."""
    names = profile(tmp_path, AWAY, name="away"), local(tmp_path)

    ended = Command("-p", names[0], "-p", names[1], folder=tmp_path).end("Hello\n")

    assert (ended.code, ended.stdout) == (69, "test | You said: Hello\n")
    assert [(line["profile"], line["exit_code"]) for line in closed(ended)] == [("test", 0)]
    assert ended.logged("sessions_ended")["failed"] == 1
    failed = ended.logged("run_failed")
    assert (failed["profile"], failed["sessions"], len(failed["run_id"])) == ("away", 1, 12)


def test_a_bug_is_its_own_sessions_only(tmp_path: Path) -> None:
    """What nobody foresaw in one session is traced, counted as 70, and felt by no other session."""
    before = """
from runner import logs
from runner.runs.early_end import EarlyEnd
take = EarlyEnd.take

def broken(early_end, update):
    if logs.context()["session"] == 2:
        raise ZeroDivisionError
    take(early_end, update)

EarlyEnd.take = broken
"""
    command = Command("-p", local(tmp_path), *sessions(3), folder=tmp_path, before=before)
    stdout, stderr = command.process.communicate(b"Hello\n")
    command.release()

    log = [json.loads(line) for line in stderr.splitlines()]
    traced = [line for line in log if line["event"] == "internal_error"]
    assert command.process.returncode == 70
    assert sorted(stdout.splitlines()) == [b"test-1 | You said: Hello", b"test-3 | You said: Hello"]
    assert [line["session"] for line in traced] == [2]
    assert "ZeroDivisionError" in traced[0]["exception"]
    assert [line["exit_codes"] for line in log if line["event"] == "sessions_ended"] == [{"0": 2, "70": 1}]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_drains_all(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Every answer in flight is finished and every session closed because of the signal."""
    command = Command("-p", local(tmp_path, interval_ms=60, more=FILES), *sessions(5), folder=tmp_path)
    command.write(QUESTION)
    wait_for_answers(tmp_path, 5)
    command.send_signal(number)
    ended = command.end()

    assert ended.code == code
    assert sorted(ended.stdout.splitlines()) == [
        f"test-{number} | You said: {QUESTION.strip()}" for number in range(1, 6)
    ]
    assert [(line["reason"], line["exit_code"]) for line in closed(ended)] == [("signal", code)] * 5
    for each in range(1, 6):
        events = [json.loads(line)["type"] for line in (tmp_path / "said" / f"{each}.jsonl").read_text().splitlines()]
        assert events.count("response.done") == 1


def test_a_second_signal_forces_all(tmp_path: Path) -> None:
    """Who asks twice waits for no session's answer."""
    more = FILES + "[run]\ngrace_s = 1000\n"
    command = Command("-p", local(tmp_path, interval_ms=1000, more=more), *sessions(5), folder=tmp_path)
    command.write(QUESTION)
    wait_for_answers(tmp_path, 5)
    command.send_signal(signal.SIGINT)
    command.wait_for_log("signal_received")
    command.send_signal(signal.SIGTERM)
    ended = command.end()

    assert ended.code == 128 + signal.SIGTERM
    assert [line["exit_code"] for line in closed(ended)] == [ended.code] * 5


def test_lines_of_two_sessions_never_mix(tmp_path: Path) -> None:
    """Events larger than any pipe takes at once come out whole, whoever else writes."""
    more = '[[outputs]]\nkind = "stdout"\nformat = "events"\n'
    brief = ("--set", 'endpoint.script=[{match="x", reply="ok"}]')
    ended = Command("-p", local(tmp_path, more=more), *sessions(5), *brief, folder=tmp_path).end(f"{'x' * 80_000}\n")

    events = [json.loads(line) for line in ended.stdout.splitlines()]
    types = Counter(event["type"] for event in events)
    opened = {line["run_id"] for line in ended.log if line["event"] == "session_opened"}
    assert {(event["profile"], event["run_id"]) for event in events} == {("test", run_id) for run_id in opened}
    assert list(events[0])[:3] == ["profile", "run_id", "type"]
    assert ended.code == 0
    assert types["response.done"] == types["session.created"] == 5


def test_a_reader_that_leaves_ends_all(tmp_path: Path) -> None:
    """Nobody reads our standard output any more: each session that would write there ends well."""
    command = Command("-p", local(tmp_path), *sessions(4), folder=tmp_path)
    assert command.process.stdout
    command.process.stdout.close()
    command.write("Hello\n")

    # Its input stays open, so nothing else can be what ends it.
    code = command.process.wait(WAIT_S)
    assert command.process.stderr
    ended = Ended(code, "", command.process.stderr.read().decode())
    command.release()

    assert code == 0, ended.stderr
    assert [line["reason"] for line in closed(ended)] == ["output-closed"] * 4


def test_problems_of_all_profiles_are_reported_at_once(tmp_path: Path) -> None:
    """Nothing connects, every profile's faults are told, and a flag's own fault is told once."""
    profile(tmp_path, '[endpoint]\nkind = "local"\nspeed = 1\n', name="one")
    profile(tmp_path, '[endpoint]\nkind = "nothing"\n', name="two")

    named = ("-p", "one", "-p", "two", "-p", "three", "--set", "run.grace=1")
    ended = Command(*named, "--log-format", "console", folder=tmp_path).end()

    assert ended.code == 78
    assert ended.stderr.count("one.toml:4") == 1
    assert ended.stderr.count("two.toml:3") == 1
    assert ended.stderr.count("--set run.grace") == 1
    assert "three" in ended.stderr
    assert not ended.log


@pytest.mark.parametrize("flags", [("--log-format", "json"), ()])
def test_a_log_in_json_is_json_where_no_run_begins(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Missing and faulty profiles are one object, with the problems as `check --output json` has them."""
    profile(tmp_path, '[endpoint]\nkind = "local"\nspeed = 1\n', name="one")

    ended = Command("-p", "one", "-p", "three", *flags, folder=tmp_path).end()

    line = ended.logged("run_failed")
    keys = {"file", "line", "column", "key", "problem", "hint", "code", "severity"}
    assert (ended.code, len(ended.stderr.splitlines())) == (78, 1)
    assert list(line)[:4] == ["timestamp", "level", "event", "profile"]
    assert [set(each) for each in line["problems"]] == [keys] * 2
    assert [(each["line"], each["key"], each["code"]) for each in line["problems"]] == [
        (4, "endpoint.speed", "unknown-key"),
        (0, "", "not-found"),
    ]


def test_a_session_has_its_ids_on_every_line(tmp_path: Path) -> None:
    """From its opening on; the signal, a fault of the local endpoint and the failure are no exceptions."""
    faults = (
        '[[endpoint.faults]]\nkind = "drop"\nafter_s = 0.2\n[input]\nkind = "none"\n[run.reconnect]\nmax_attempts = 1'
    )
    name = profile(tmp_path, f'[endpoint]\nkind = "local"\n{faults}\n')
    command = Command("-v", "-p", name, folder=tmp_path)
    command.wait_for_log("session_resumed")
    command.send_signal(signal.SIGTERM)
    ended = command.end()

    lines = ended.log[[each["event"] for each in ended.log].index("session_opened") :]
    ids = [{key: line.get(key) for key in ("profile", "run_id", "session_id")} for line in lines]
    assert {"fault_injected", "signal_received", "local_session_opened", "session_closed"} <= {
        line["event"] for line in lines
    }
    assert [line for line, each in zip(lines, ids, strict=True) if each != ids[0] or None in each.values()] == []


def test_what_only_the_process_has_comes_from_the_first_profile(tmp_path: Path) -> None:
    """Profiles that disagree on how to log are told so, in one line."""
    first = local(tmp_path)
    profile(tmp_path, '[endpoint]\nkind = "local"\n[logging]\nlevel = "debug"\n', name="other")

    ended = Command("-p", first, "-p", "other", folder=tmp_path).end()

    assert ended.code == 0
    warning = ended.logged("profiles_disagree")
    assert (warning["settings"], warning["followed"]) == (["logging.level"], first)


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_failure_of_many_is_reported_once(tmp_path: Path, form: str) -> None:
    """The last word counts the sessions that failed alike."""
    name = profile(tmp_path, AWAY)

    ended = Command("-p", name, *sessions(3), "-q", "--log-format", form, folder=tmp_path).end()

    assert ended.code == 69
    if form == "json":
        assert ended.logged("run_failed")["sessions"] == 3
    else:
        assert ended.stderr.count("rt-run: 3 sessions of test: ") == ended.stderr.count("rt-run: ") == 1


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_openings_are_bounded(tmp_path: Path) -> None:
    """However many sessions there are, the endpoint greets so many at a time and in the end all of them."""
    total = OPENING_AT_ONCE + 20
    counts = Counter[str]()

    async def script(peer: Peer) -> None:
        counts["opening"] += 1
        counts["most"] = max(counts["most"], counts["opening"])
        await anyio.sleep(0.3)
        counts["opening"] -= 1
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        command = Command("-p", profile(tmp_path, CUSTOM.format(port=port)), *sessions(total), folder=tmp_path)
        ended = await anyio.to_thread.run_sync(command.end)

    assert (ended.code, len(peers)) == (0, total)
    assert 1 < counts["most"] <= OPENING_AT_ONCE


def test_two_profiles_never_write_one_file(tmp_path: Path) -> None:
    """Nothing connects where they would; a name in the path tells them apart."""
    names = [local(tmp_path), profile(tmp_path, '[endpoint]\nkind = "local"\n', name="other")]
    flags = [part for name in names for part in ("-p", name)]

    refused = Command(*flags, "--set", "journal.path=same.jsonl", folder=tmp_path).end("Hello\n")
    twice = Command("-p", names[0], "-p", names[0], "--set", "journal.path={profile}.jsonl", folder=tmp_path).end()
    told_apart = Command(*flags, "--set", "journal.path={profile}.jsonl", folder=tmp_path).end("Hello\n")

    assert (refused.code, twice.code, told_apart.code) == (78, 78, 0)
    (problem,) = refused.logged("run_failed")["problems"]
    assert (problem["code"], problem["severity"]) == ("outputs-share-file", "error")
    assert "test and other would both write same.jsonl" in refused.stderr
