"""The writer of a journal: what it writes, where, when, and that it holds up nothing."""

import base64
import errno
import fcntl
import json
import os
import stat
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.errors import InputError, OutputError, RunnerError
from runner.journal.reading import parts, read_journal
from runner.journal.record import Record
from runner.outputs.journal_file import JournalFile
from runner.outputs.journal_writer import JournalWriter
from runner.settings.journal import JournalSettings

pytestmark = pytest.mark.anyio
WAIT_S = 150.0


def journal(path: Path, fail: Callable[[RunnerError], None], **settings: Any) -> JournalWriter:
    """A journal at a path."""
    return JournalWriter(JournalSettings(path=str(path), **settings), path, fail=fail)


def unexpected(problem: RunnerError | str) -> None:
    """Nothing may go wrong."""
    pytest.fail(str(problem))


def _holds(path: Path, count: int) -> bool:
    # A line may be half written while it is counted.
    return path.read_bytes().count(b"\n") >= count


async def written(opened: JournalWriter) -> None:
    """Run a journal to its end."""
    opened.close()
    with anyio.fail_after(WAIT_S):
        await opened.run()


async def until(reached: Callable[[], bool]) -> None:
    """Wait for something that a thread does."""
    with anyio.fail_after(WAIT_S):
        while not reached():  # noqa: ASYNC110  # a thread sets no event
            await anyio.sleep(0.01)


def records(path: Path) -> list[Record]:
    """All records of a journal, none of whose lines is broken."""
    problems: list[str] = []
    found = list(read_journal(path, problems.append))
    assert not problems
    return found


def padding(number: int, size: int = 20_000) -> dict[str, Any]:
    """A large event with a number."""
    return {"type": "x", "number": number, "text": "x" * size}


async def test_both_directions_and_notes_are_written_in_order(tmp_path: Path) -> None:
    """Folders are made, only the owner may read, and audio is a hash."""
    failures: list[RunnerError] = []
    path = tmp_path / "p" / "s.jsonl"
    opened = journal(path, failures.append)
    opened.note({"type": "connection.opened"}, epoch=1)
    opened.received({"type": "session.created"}, epoch=1, at_s=7.25, size_bytes=20)
    audio = base64.b64encode(bytes(480)).decode()
    opened.sent({"type": "input_audio_buffer.append", "audio": audio}, epoch=1)
    await written(opened)
    opened.note({"type": "session.ended"}, epoch=0)

    note, came, went = records(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (note.direction, note.epoch, note.event) == ("note", 1, {"type": "connection.opened"})
    assert came == Record(7.25, "in", 1, {"type": "session.created"})
    assert (went.direction, went.event["audio"]["bytes"]) == ("out", 480)
    assert opened.is_finished
    assert not failures


@pytest.mark.parametrize("keep", [1, 3])
async def test_a_file_that_grows_too_large_is_set_aside(tmp_path: Path, keep: int) -> None:
    """So many files remain, none is larger than allowed, and the newest records are read in order."""
    path = tmp_path / "j"
    failures: list[RunnerError] = []
    for start in (0, 10):
        # A second run goes on where the first one ended.
        opened = journal(path, failures.append, max_bytes=65536, keep=keep)
        for number in range(start, start + 10):
            opened.sent(padding(number), epoch=1)
        await written(opened)

    files = parts(path)
    numbers = [record.event["number"] for record in records(path)]
    assert [each.name for each in files] == ["j.2", "j.1", "j"][-keep:]
    assert not Path(f"{path}.{keep}").exists()  # noqa: ASYNC240  # nothing else runs
    assert all(each.stat().st_size <= 65536 for each in files)
    assert numbers == list(range(20 - len(numbers), 20))
    assert len(numbers) > 3 * (keep - 1)
    assert not failures


async def test_a_record_larger_than_a_file_has_one_of_its_own(tmp_path: Path) -> None:
    """It is not lost, and the next one begins a new file."""
    path = tmp_path / "j"
    opened = journal(path, unexpected, max_bytes=65536)
    opened.sent(padding(0, 100_000), epoch=1)
    opened.sent(padding(1, 10), epoch=1)
    await written(opened)

    assert [record.event["number"] for record in records(path)] == [0, 1]
    assert len(parts(path)) == 2


async def test_a_line_that_a_crash_has_cut_spoils_nothing(tmp_path: Path) -> None:
    """What comes later begins a line of its own, and reading names the line that is left out."""
    path = tmp_path / "j"
    for number in (1, 2):
        opened = journal(path, unexpected)
        opened.sent({"type": "x", "number": number}, epoch=1)
        await written(opened)
        if number == 1:
            with path.open("ab") as file:
                file.write(b'{"at_s":1.0,"direction":"in","epo')

    problems: list[str] = []
    numbers = [record.event["number"] for record in read_journal(path, problems.append)]
    assert numbers == [1, 2]
    assert problems == [f"{path}:2: not JSON"]


async def test_a_record_waits_no_longer_than_the_interval(tmp_path: Path) -> None:
    """The first is written at once, the next ones together after the interval."""
    path = tmp_path / "j"
    opened = journal(path, unexpected, flush_interval_s=0.3)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(opened.run)
        opened.sent(padding(0, 1), epoch=1)
        await until(lambda: path.stat().st_size > 0)
        opened.sent(padding(1, 1), epoch=1)
        opened.sent(padding(2, 1), epoch=1)
        await until(partial(_holds, path, 2))
        assert len(records(path)) == 3
        opened.close()
        with anyio.fail_after(WAIT_S):
            await opened.finished()


async def test_a_queue_that_fills_is_written_before_its_time(tmp_path: Path) -> None:
    """A long interval must not end a session that sends much; closing does not wait for it either."""
    path = tmp_path / "j"
    opened = journal(path, unexpected, flush_interval_s=3600, max_queue_bytes=65536)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(opened.run)
        for number in range(10):
            opened.sent(padding(number, 40_000), epoch=1)
            await until(partial(_holds, path, number + 1))
        opened.close()
        with anyio.fail_after(WAIT_S):
            await opened.finished()

    assert len(records(path)) == 10


async def test_a_journal_that_falls_behind_ends_the_session(tmp_path: Path) -> None:
    """Reaching the bound is reported once with a hint, and what came before the gap is written."""
    failures: list[RunnerError] = []
    opened = journal(tmp_path / "j", failures.append, max_queue_bytes=65536)
    for number in range(5):
        opened.received(padding(number, 10), epoch=1, at_s=0, size_bytes=30_000)
    await written(opened)

    (failure,) = failures
    assert isinstance(failure, OutputError)
    assert failure.message == f"the journal {tmp_path / 'j'} fell more than 65536 bytes behind the session"
    assert "max_queue_bytes" in failure.hint
    assert [record.event["number"] for record in records(tmp_path / "j")] == [0, 1]


async def test_what_cannot_be_written_is_reported_once() -> None:
    """A full disk is a failure, and the rest is discarded."""
    failures: list[RunnerError] = []
    opened = journal(Path("/dev/full"), failures.append, flush_interval_s=0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(opened.run)
        for number in range(3):
            opened.sent(padding(number), epoch=1)
            await anyio.sleep(0.02)
        opened.close()
        with anyio.fail_after(WAIT_S):
            await opened.finished()

    assert [str(each) for each in failures] == ["the journal /dev/full cannot be written: No space left on device"]


async def test_a_file_that_cannot_be_set_aside_is_reported_once(tmp_path: Path) -> None:
    """The session hears of it; closing afterwards is no second failure."""
    (tmp_path / "j.1" / "in the way").mkdir(parents=True)
    failures: list[RunnerError] = []
    opened = journal(tmp_path / "j", failures.append, max_bytes=65536, keep=2)
    for number in range(10):
        opened.sent(padding(number), epoch=1)
    await written(opened)

    assert [str(each) for each in failures] == [f"the journal {tmp_path / 'j'} cannot be written: Is a directory"]


async def test_what_cannot_be_opened_is_reported_before_anything_connects(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match=r"the journal .*/file/j cannot be opened: (Not a directory|File exists)"):
        journal(tmp_path / "file" / "j", unexpected)


def _read_some(descriptor: int) -> bool:
    """Whether the writing end of a pipe is still open; reads what is there."""
    try:
        return bool(os.read(descriptor, 1 << 20))
    except BlockingIOError:
        return True


async def test_a_disk_that_hangs_holds_up_nothing(tmp_path: Path) -> None:
    """Taking never waits, giving up ends at once, and the file is closed when the disk comes back."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        opened = journal(pipe, unexpected, flush_interval_s=0)
        with anyio.fail_after(WAIT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(opened.run)
                for number in range(20):
                    opened.sent(padding(number), epoch=1)
                await anyio.sleep(0.1)
                assert not opened.is_finished
                tasks.cancel_scope.cancel()
        assert opened.is_finished
        await until(lambda: not _read_some(reading))
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[endpoint]\n", "1: not JSON"),
        (b"\0" * 1000, "1: not JSON"),
        (b'{"a": 1}\n' * 500, "1: not a record of a journal"),
    ],
)
async def test_another_file_is_no_journal(tmp_path: Path, content: bytes, problem: str) -> None:
    """One message says so, however long the file is."""
    path = tmp_path / "other"
    path.write_bytes(content)

    with pytest.raises(InputError, match=f"^the file {path} is no journal: {problem}$"):
        list(read_journal(path, unexpected))


async def test_a_file_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that never ends a line fills no memory."""
    monkeypatch.setattr("runner.journal.reading.MAX_LINE_BYTES", 4096)

    with pytest.raises(InputError, match=r"^the file /dev/zero is no journal"):
        list(read_journal(Path("/dev/zero"), unexpected))


async def test_what_cannot_be_read_is_reported(tmp_path: Path) -> None:
    """A missing file and a folder are named."""
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(InputError, match=f"^the journal {path} cannot be read: "):
            list(read_journal(path, unexpected))


async def test_a_line_is_json_for_every_tool(tmp_path: Path) -> None:
    """One object a line, with nothing but the four fields."""
    opened = journal(tmp_path / "j", unexpected)
    opened.sent({"type": "x", "text": "a\nb\u2028c"}, epoch=3)
    await written(opened)

    (line,) = (tmp_path / "j").read_bytes().splitlines()
    assert set(json.loads(line)) == {"at_s", "direction", "epoch", "event"}


HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "ab")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


async def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    """A second one would set aside what the first is writing; the first goes on as if nothing had happened."""
    path = tmp_path / "s.jsonl"
    first = journal(path, unexpected)
    with pytest.raises(OutputError, match="is being written by another session") as raised:
        journal(path, unexpected)
    assert "{run_id}" in raised.value.hint
    assert raised.value.exit_code == 74
    first.note({"type": "session.started"}, epoch=0)
    await written(first)

    await written(journal(path, unexpected))
    assert [each.event["type"] for each in records(path)] == ["session.started"]


async def test_a_journal_of_another_process_is_left_alone(tmp_path: Path) -> None:
    """Until that has ended, however it did."""
    path = tmp_path / "s.jsonl"
    arguments = [sys.executable, "-c", HOLDER, str(path)]
    async with await anyio.open_process(arguments) as other:
        assert other.stdout is not None
        assert (await other.stdout.receive()).startswith(b"held")
        with pytest.raises(OutputError, match="is being written by another session"):
            journal(path, unexpected)
        other.kill()
    await written(journal(path, unexpected))


async def test_a_journal_has_one_writer_also_after_it_was_set_aside(tmp_path: Path) -> None:
    """The new file is the writer's as the old one was."""
    path = tmp_path / "s.jsonl"
    first = journal(path, unexpected, max_bytes=1 << 16, keep=3)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first.run)
        for number in range(8):
            first.note(padding(number), epoch=0)
        await until(lambda: len(list(parts(path))) == 3)
        with pytest.raises(OutputError, match="is being written by another session"):
            journal(path, unexpected)
        first.close()
    assert [each.event["number"] for each in records(path)][-1] == 7


def test_nobody_comes_between_two_files_of_a_journal(tmp_path: Path) -> None:
    """Whoever tries while one is set aside for the next is refused, and the journal's own writer never is."""
    path, ended, taken = tmp_path / "s.jsonl", threading.Event(), []

    def intrude() -> None:
        while not ended.is_set():
            try:
                other = JournalFile(path, max_bytes=100, keep=3)
            except OutputError:
                continue
            taken.append(other)
            other.close()

    file = JournalFile(path, max_bytes=100, keep=3)
    intruder = threading.Thread(target=intrude)
    intruder.start()
    try:
        for number in range(500):
            file.append([f"{number} {'x' * 80}"])
    finally:
        ended.set()
        intruder.join()
        file.close()

    assert taken == []
    assert [each.read_text().split()[0] for each in sorted(tmp_path.iterdir())] == ["499", "498", "497"]


@pytest.mark.parametrize("keep", [1, 3])
def test_a_file_system_without_hard_links_takes_a_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: int
) -> None:
    """Some network file systems know none; the files are the same."""

    def refused(*_arguments: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    file = JournalFile(tmp_path / "s.jsonl", max_bytes=100, keep=keep)
    for number in range(5):
        file.append([f"{number} {'x' * 80}"])
    file.finish()

    assert [each.read_text().split()[0] for each in sorted(tmp_path.iterdir())] == ["4", "3", "2"][:keep]


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EOPNOTSUPP])
async def test_a_file_system_without_locks_takes_a_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """Some network file systems know none."""

    def refused(*_arguments: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(fcntl, "flock", refused)
    opened = journal(tmp_path / "s.jsonl", unexpected)
    opened.note({"type": "session.started"}, epoch=0)
    await written(opened)
    assert len(records(tmp_path / "s.jsonl")) == 1
