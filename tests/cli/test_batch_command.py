"""`rt-run batch` as a command: killed, drained and gone on with; its exit codes, and what it tells."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command_process import Command, local
from tests.helpers.hearing_peers import recording, tone

ROWS = 24
PATIENCE_S = 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a profile, and with rows that ask it something."""
    local(tmp_path, interval_ms=5, more="[run]\ngrace_s = 0\n[batch]\nconcurrency = 4\n")
    rows = [{"id": f"row {number}", "input": f"Question {number}?"} for number in range(ROWS)]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    return tmp_path


def batch(folder: Path, *arguments: str) -> Command:
    """The command, with results in `results.jsonl`."""
    return Command("batch", "test", "rows.jsonl", "--results", "results.jsonl", *arguments, folder=folder)


def results(folder: Path) -> list[dict[str, Any]]:
    """The results, in the order in which they were written; a line without its end does not count."""
    path = folder / "results.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(each) for each in lines]


def wait_for_results(folder: Path, count: int) -> None:
    """Wait until there are so many."""
    end_s = time.monotonic() + PATIENCE_S
    while len(results(folder)) < count:
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_a_batch_that_is_killed_three_times_has_every_result_once(folder: Path) -> None:
    """SIGKILL in the middle, again and again: each start goes on with what is missing, a torn line included."""
    for count, workers in ((5, "2"), (10, "1"), (15, "2")):
        command = batch(folder, "--workers", workers)
        wait_for_results(folder, count)
        command.process.kill()
        command.process.wait()
        command.release()
    with (folder / "results.jsonl").open("ab") as file:
        file.write(b'{"id": "row 3", "ru')

    ended = batch(folder, "--output", "json").end()

    assert ended.code == 0, ended.stderr
    assert ended.logged("result_torn")["level"] == "warning"
    assert ended.logged("batch_ended")["succeeded"] == ROWS
    found = results(folder)
    assert sorted(each["id"] for each in found) == sorted(f"row {number}" for number in range(ROWS))
    assert all(each["text"] == f"You said: Question {each['id'].split()[1]}?" for each in found)
    summary = json.loads(ended.stdout)
    assert (summary["rows"], summary["succeeded"], summary["failed"], summary["left"]) == (ROWS, ROWS, 0, 0)
    assert summary["usage"]["input_tokens"] == sum(each["usage"]["input_tokens"] for each in found)
    assert set(summary["first_ms"]) == {"p50", "p95", "p99", "max"}


def test_a_signal_drains_and_the_rest_is_left(folder: Path) -> None:
    """Exit code 75; the same command again finishes, with code 0, and once more it has nothing to do."""
    command = batch(folder)
    wait_for_results(folder, 3)
    command.send_signal(signal.SIGTERM)

    drained = command.end()
    before = len(results(folder))
    ended = batch(folder).end()

    assert drained.code == 75
    assert drained.logged("signal_received")["signal"] == "SIGTERM"
    assert f"{before} succeeded, {ROWS - before} left" in drained.stdout
    assert "a signal has ended the batch: the same command again goes on with the rest" in drained.stdout
    assert (ended.code, len(results(folder))) == (0, ROWS)
    assert f"{ROWS} rows: {ROWS} succeeded" in ended.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
def test_a_forked_worker_that_dies_is_replaced(folder: Path) -> None:
    """Its rows are tried again where they may be; the file of results stays the command's alone."""
    tried = "[batch]\nconcurrency = 4\nmax_attempts = 9\n[run.reconnect]\ninitial_delay_s = 0.01\n"
    local(folder, interval_ms=5, more=tried)
    command = batch(folder, "--workers", "2")
    wait_for_results(folder, 3)
    first, second = (int(each) for each in _children(command.process.pid))
    opened = {str(each.readlink()) for each in Path(f"/proc/{first}/fd").iterdir()}
    os.kill(first, signal.SIGKILL)

    ended = command.end()

    assert ended.code == 0, ended.stderr
    assert (ended.logged("worker_died")["pid"], ended.logged("worker_died")["exit_code"]) == (first, -9)
    assert len({each["id"] for each in results(folder)}) == len(results(folder)) == ROWS
    assert str(folder / "results.jsonl") not in opened
    assert not Path(f"/proc/{second}").exists()


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_an_address_is_that_of_a_ray_cluster(folder: Path) -> None:
    """Without --on ray nothing would go there."""
    ended = batch(folder, "--address", "10.0.0.5:6379").end()

    assert (ended.code, ended.stderr) == (2, "rt-run: --address is that of a Ray cluster\n  hint: add --on ray\n")


def test_rows_and_results_that_cannot_be_used_are_refused_before_anything_runs(folder: Path) -> None:
    """Exit code 2, and one message with the line for each thing that is wrong."""
    (folder / "rows.jsonl").write_text('{"id": "1", "input": "a"}\n{"id": "1", "input": "b"}\n{"id": 2}\n')

    ended = batch(folder).end()

    assert (ended.code, ended.stdout, results(folder)) == (2, "", [])
    first, second = ended.stderr.splitlines()
    assert first == "rt-run: rows.jsonl:2: the id '1' stands in line 1 already; every row has an id of its own"
    assert second.startswith("rows.jsonl:3: input is missing, and the profile's own is stdin; ")
    assert not (folder / "results.jsonl").exists()


def test_failed_rows_are_run_again_where_that_is_asked_for(folder: Path) -> None:
    """Exit code 1 while some have failed; a file of other results is refused before any of its lines is removed."""
    rows = ['{"id": "1", "input": "Hello"}\n', '{"id": "2", "input": {"file": "said.wav"}}\n']
    (folder / "rows.jsonl").write_text("".join(rows))
    (folder / "said.wav").write_text("no recording")

    failed = batch(folder).end()
    before = (folder / "results.jsonl").read_bytes()
    (folder / "said.wav").unlink()
    recording(folder / "said.wav", tone(0.5))
    (folder / "rows.jsonl").write_text(rows[0].replace("Hello", "Good-bye") + rows[1])
    other = batch(folder, "--retry-failed").end()
    refused = (folder / "results.jsonl").read_bytes()
    (folder / "rows.jsonl").write_text("".join(rows))
    again = batch(folder).end()
    retried = batch(folder, "--retry-failed").end()

    assert (failed.code, other.code, again.code, retried.code) == (1, 2, 1, 0)
    assert "1 failed: " in failed.stdout
    assert failed.logged("row_failed")["row"] == "2"
    assert "the row says something else than when its result was written to results.jsonl" in other.stderr
    assert before == refused
    assert [each["status"] for each in results(folder)] == ["succeeded", "succeeded"]
