"""Who writes next where text and lines of the log end up in one place."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import pytest

from runner.standard_streams import LineTurns, are_one_place

LONG_S = 60.0
SHORT_S = 0.01


@contextmanager
def file_at(path: Path) -> Iterator[FileIO]:
    """A file that both write to."""
    with FileIO(path, "w") as file:
        yield file


def test_a_line_waits_for_the_end_of_the_text_line(tmp_path: Path) -> None:
    """Text that streams is not torn: the line comes after its end, and before what follows."""
    turns = LineTurns(patience_s=LONG_S)
    with file_at(tmp_path / "out") as file:
        turns.put_text(file, b"one two")
        line = threading.Thread(target=turns.put_lines, args=(file, b"logged\n"))
        line.start()
        turns.put_text(file, b" three")
        turns.put_text(file, b" four\n")
        line.join()
        turns.put_text(file, b"five\n")

    assert (tmp_path / "out").read_bytes() == b"one two three four\nlogged\nfive\n"


@pytest.mark.parametrize("is_urgent", [False, True])
def test_a_line_that_waited_long_enough_begins_afresh(tmp_path: Path, *, is_urgent: bool) -> None:
    """Text that does not end its line is parted from the log, and goes on behind it; in a hurry at once."""
    turns = LineTurns(patience_s=LONG_S if is_urgent else SHORT_S)
    if is_urgent:
        turns.hurry()
    with file_at(tmp_path / "out") as file:
        turns.put_text(file, b"one two")
        turns.put_lines(file, b"first\n")
        turns.put_lines(file, b"second\n")
        turns.put_text(file, b" three\n")

    assert (tmp_path / "out").read_bytes() == b"one two\nfirst\nsecond\n three\n"


def test_a_hurry_wakes_a_line_that_waits(tmp_path: Path) -> None:
    """The last lines of a process do not wait for text that nobody will write."""
    turns = LineTurns(patience_s=LONG_S)
    with file_at(tmp_path / "out") as file:
        turns.put_text(file, b"half")
        line = threading.Thread(target=turns.put_lines, args=(file, b"logged\n"))
        line.start()
        turns.hurry()
        line.join()

    assert (tmp_path / "out").read_bytes() == b"half\nlogged\n"


def test_nothing_and_a_failure_leave_the_line_as_it_is(tmp_path: Path) -> None:
    """An empty text moves nothing; one that failed midway has left half a line behind."""
    turns = LineTurns(patience_s=SHORT_S)
    with FileIO("/dev/full", "w") as full, pytest.raises(OSError, match="No space"):
        turns.put_text(full, b"half")
    with file_at(tmp_path / "out") as file:
        turns.put_text(file, b"")
        turns.put_lines(file, b"logged\n")

    assert (tmp_path / "out").read_bytes() == b"\nlogged\n"


def test_one_place_is_known_by_what_it_is(tmp_path: Path) -> None:
    """A file, a pipe or a terminal that is open twice is one place; the null device and a closed one are none."""
    path = tmp_path / "out"
    path.touch()
    files = [os.open(path, os.O_WRONLY) for _ in range(2)]
    pipes = [os.pipe() for _ in range(2)]
    terminals = os.openpty()
    nulls = [os.open(os.devnull, os.O_WRONLY) for _ in range(2)]
    twice = [os.dup(pipes[0][1]), os.dup(terminals[1])]
    try:
        assert are_one_place(*files)
        assert are_one_place(pipes[0][1], twice[0])
        assert are_one_place(terminals[1], twice[1])
        assert not are_one_place(pipes[0][1], pipes[1][1])
        assert not are_one_place(files[0], pipes[0][1])
        assert not are_one_place(*nulls)
    finally:
        for descriptor in (*files, *pipes[0], *pipes[1], *terminals, *nulls, *twice):
            os.close(descriptor)
    assert not are_one_place(*files)
