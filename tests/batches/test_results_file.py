"""The file of results: appended to, read again, mended after a crash, and never taken for another one."""

import json
import os
import resource
import signal
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from runner.batches.batch_result import BatchResult
from runner.batches.results_file import ResultsFile
from runner.errors import OutputError, UsageError
from runner.standard_streams import put_all

pytestmark = pytest.mark.anyio


def result(row_id: str, **changes: Any) -> BatchResult:
    """The result of a row."""
    told = {"digest": "d", "profile": "p", "status": "succeeded", "exit_code": 0, "started_at": "", "duration_s": 1.0}
    return BatchResult.model_validate({"id": row_id, **told, **changes})


async def written(path: Path, *results: BatchResult) -> None:
    """Write these results."""
    file = ResultsFile(path)
    file.read(lambda _: None)
    for each in results:
        file.put(each)
    await file.aclose()


def read(path: Path) -> list[BatchResult]:
    """The results of a file, which is closed again."""
    found: list[BatchResult] = []
    file = ResultsFile(path)
    file.read(found.append)
    file.close()
    return found


async def test_results_that_come_together_are_all_written(tmp_path: Path) -> None:
    """Each is a line of its own, for its owner only; what another session appends follows."""
    path = tmp_path / "out" / "results.jsonl"
    await written(path, *(result(str(number)).model_copy(update={"text": "ä\ud800"}) for number in range(5)))
    await written(path, result("5"))

    assert sorted(each.id for each in read(path)) == [str(number) for number in range(6)]
    assert {json.loads(line)["text"] for line in path.read_text().splitlines()} == {"ä\ufffd", ""}
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_result_that_comes_while_others_are_written_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the next time; each is said to be on the disk once, and only when it is."""
    path = tmp_path / "results.jsonl"
    file = ResultsFile(path)

    def interrupted(stream: FileIO, data: bytes) -> None:
        monkeypatch.undo()
        file.put(result("2"))
        put_all(stream, data)

    monkeypatch.setattr("runner.batches.results_file.put_all", interrupted)
    file.put(result("1"))
    assert (file.written(), file.waiting) == ([], 1)
    await file.write()
    assert ([each.id for each in file.written()], file.waiting) == (["1"], 1)
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["1"]
    await file.aclose()

    assert ([each.id for each in file.written()], file.waiting) == (["2"], 0)
    assert [each.id for each in read(path)] == ["1", "2"]


@pytest.mark.parametrize(
    "torn",
    ['{"id": "2", "run": 1, "di', '{"i', '{"id": "2"}', "\0" * 4096, f'{{"id": "2{chr(0) * 999}\n{{"id": "3", "di'],
)
async def test_what_a_crash_leaves_unfinished_is_cut_off(tmp_path: Path, torn: str) -> None:
    """A last line without its end, and where the power has gone a hole in those that one fsync was for."""
    path = tmp_path / "results.jsonl"
    await written(path, result("1"))
    with path.open("a") as file:
        file.write(torn)

    found = ResultsFile(path)
    done = found.read(lambda _: None)
    found.put(result("2"))
    await found.aclose()

    assert (set(done), found.torn_bytes) == ({("1", 1)}, len(torn))
    assert [each.id for each in read(path)] == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"id": "1", "input": "Hello"}\n', ":1: is no result of a batch"),
        ("Dear diary", ":1: is no result of a batch"),
        ("\n", ":1: is no result of a batch"),
        ("TWICE", ":2: the row 1 has a second result"),
    ],
)
async def test_another_file_is_refused_and_left_alone(tmp_path: Path, text: str, said: str) -> None:
    """Rows, a diary without the end of a line, and two results of one row."""
    path = tmp_path / "results.jsonl"
    path.write_text(result("1").line().decode() * 2 if text == "TWICE" else text)
    before = path.read_bytes()

    file = ResultsFile(path)
    with pytest.raises(UsageError, match=said):
        file.read(lambda _: None)
    file.close()

    assert path.read_bytes() == before


async def test_one_batch_at_a_time_writes(tmp_path: Path) -> None:
    """Another one is told so, and nothing but a regular file keeps results."""
    first = ResultsFile(tmp_path / "results.jsonl")
    with pytest.raises(OutputError, match="another batch writes"):
        ResultsFile(tmp_path / "results.jsonl")
    first.close()
    ResultsFile(tmp_path / "results.jsonl").close()

    with pytest.raises(UsageError, match="not a regular file"):
        ResultsFile(Path("/dev/null"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        ResultsFile(tmp_path / "pipe")
    with pytest.raises(OutputError, match="cannot be opened"):
        ResultsFile(tmp_path)


async def test_failed_rows_are_forgotten(tmp_path: Path) -> None:
    """The file is written anew without them, as a whole or not at all."""
    path = tmp_path / "results.jsonl"
    failed = result("2", status="failed", exit_code=69)
    await written(path, result("1"))
    await written(path, failed, result("3"))

    file = ResultsFile(path)
    file.forget_failed()
    assert set(file.read(lambda _: None)) == {("1", 1), ("3", 1)}
    file.put(failed)
    await file.aclose()

    assert [each.id for each in read(path)] == ["1", "3", "2"]
    assert not path.with_name("results.jsonl.new").exists()


async def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    """What was written of results that do not fit is cut off again, each attempt fails, and the end tries once more."""
    path = tmp_path / "results.jsonl"
    await written(path, result("1"))
    size_bytes = path.stat().st_size
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = ResultsFile(path)
    file.read(lambda _: None)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes + 20, limits[1]))
        for row_id in ("2", "3"):
            file.put(result(row_id))
            with pytest.raises(OutputError, match="cannot be written: File too large"):
                await file.write()
        assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["1"]
        assert path.stat().st_size == size_bytes
        assert (file.written(), file.waiting) == ([], 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    await file.aclose()

    assert [each.id for each in read(path)] == ["1", "2", "3"]
