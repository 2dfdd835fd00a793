"""The thread that writes the log: nobody waits for its reader, and what does not fit is counted."""

import json
import os
import signal
import threading
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

import pytest

from runner import logs
from runner.log_writer import LogWriter, StreamTarget
from runner.standard_streams import LineTurns, put_all
from tests.helpers.command_process import Command, local

NOISY = """
from runner import logs
from runner.inputs.line_input import LineInput
feed = LineInput.feed

async def noisy(self, *given):
    for number in range(3000):
        logs.logger().warning("noise", number=number, text="x" * 100)
    return await feed(self, *given)

LineInput.feed = noisy
"""
"""Has the command log far more than a pipe holds, before it reads its input."""

COUNT = 10_000
LONG_S = 60.0


def dropped(count: int) -> bytes:
    """The line in place of lines that were dropped."""
    return f"dropped {count}\n".encode()


class Gate:
    """A target that writes only while it is open.

    Attributes:
        lines: What was written.
        begun: Set when something is being written.
    """

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.begun = threading.Event()
        self.open = threading.Event()

    def write(self, lines: Sequence[bytes]) -> None:
        """Write these lines, once the gate is open."""
        self.begun.set()
        self.open.wait(LONG_S)
        self.lines += lines

    def hurry(self) -> None:
        """Wait no longer for others than the reader; here there are none."""


def test_lines_come_in_order_and_a_flush_waits_for_all() -> None:
    """What is taken is written."""
    gate = Gate()
    gate.open.set()
    writer = LogWriter(gate, dropped=dropped)
    for number in range(100):
        writer.put(f"{number}\n".encode())

    assert writer.flush(within_s=LONG_S)
    assert gate.lines == [f"{number}\n".encode() for number in range(100)]


def test_a_reader_that_does_not_read_keeps_nobody_waiting() -> None:
    """The queue is bounded, what does not fit is counted in its place, and the end does not wait for it."""
    gate = Gate()
    writer = LogWriter(gate, dropped=dropped, max_queue_bytes=1000)
    writer.put(b"first\n")
    gate.begun.wait(LONG_S)
    for number in range(COUNT):
        writer.put(f"{number}\n".encode())
    ended_early = writer.flush(within_s=0.01)
    gate.open.set()

    assert not ended_early
    assert writer.flush(within_s=LONG_S)
    writer.put(b"last\n")
    assert writer.flush(within_s=LONG_S)
    held = len(gate.lines) - 3
    assert gate.lines == [
        b"first\n",
        *(f"{number}\n".encode() for number in range(held)),
        dropped(COUNT - held),
        b"last\n",
    ]
    assert 0 < held < 10


def test_one_line_larger_than_the_queue_is_written() -> None:
    """A bound on what waits is none on a line."""
    gate = Gate()
    gate.open.set()
    writer = LogWriter(gate, dropped=dropped, max_queue_bytes=10)
    writer.put(b"x" * 1000)

    assert writer.flush(within_s=LONG_S)
    assert gate.lines == [b"x" * 1000]


def test_a_target_that_fails_loses_its_lines_only() -> None:
    """A log that cannot be written ends nothing, and is tried again."""

    class Failing(Gate):
        def write(self, lines: Sequence[bytes]) -> None:
            if lines == [b"lost\n"]:
                raise BrokenPipeError
            super().write(lines)

    gate = Failing()
    gate.open.set()
    writer = LogWriter(gate, dropped=dropped)
    writer.put(b"lost\n")
    assert writer.flush(within_s=LONG_S)
    writer.put(b"kept\n")

    assert writer.flush(within_s=LONG_S)
    assert gate.lines == [b"kept\n"]


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_log_lines_and_answers_in_one_place_are_all_whole(tmp_path: Path, kind: str) -> None:
    """10,000 log lines beside 10,000 answers that stream: every line of JSON parses, and every answer is whole."""
    read, write = os.pipe() if kind == "pipe" else (-1, os.open(tmp_path / "both", os.O_WRONLY | os.O_CREAT))
    got: list[bytes] = []

    def collect() -> None:
        while data := os.read(read, 65536):
            got.append(data)

    reader = threading.Thread(target=collect)
    if kind == "pipe":
        reader.start()
    turns = LineTurns(patience_s=LONG_S)
    writer = LogWriter(StreamTarget(write, turns), dropped=dropped, max_queue_bytes=1 << 30)

    def answer() -> None:
        with FileIO(write, "w", closefd=False) as file:
            for number in range(COUNT):
                for piece in (f"answer {number}", " and what", " follows\n"):
                    turns.put_text(file, piece.encode())

    answering = threading.Thread(target=answer)
    answering.start()
    for number in range(COUNT):
        writer.put(f'{{"event": "error_reported", "number": {number}}}\n'.encode())
    answering.join()
    assert writer.flush(within_s=LONG_S)
    os.close(write)
    if kind == "pipe":
        reader.join()
        os.close(read)
    lines = (b"".join(got) if kind == "pipe" else (tmp_path / "both").read_bytes()).decode().splitlines()

    logged = [json.loads(line)["number"] for line in lines if line.startswith("{")]
    answers = [line for line in lines if not line.startswith("{")]
    assert logged == list(range(COUNT))
    assert answers == [f"answer {number} and what follows" for number in range(COUNT)]


@pytest.mark.parametrize("is_read", [True, False])
def test_standard_error_that_nobody_reads_holds_up_nothing(tmp_path: Path, *, is_read: bool) -> None:
    """A session goes on and ends behind a pipe that is full; whoever reads it then finds whole lines and the count."""
    before = f"""
{NOISY}
from functools import partial
from runner import log_writer
logs.LogWriter = partial(log_writer.LogWriter, max_queue_bytes=100_000)
logs._FLUSH_S = 0.1
"""
    command = Command("-p", local(tmp_path), folder=tmp_path, before=before)
    process = command.process
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdin.write(b"Hello\n")
    answer, logged = process.stdout.readline(), b""
    if is_read:
        while b"log_lines_dropped" not in logged:
            logged += process.stderr.read(65536)
    process.stdin.close()
    code = process.wait()
    while more := process.stderr.read(65536):
        logged += more
    command.release()

    lines = [json.loads(line) for line in logged.decode().splitlines()]
    noise = [line["number"] for line in lines if line["event"] == "noise"]
    told = [line["count"] for line in lines if line["event"] == "log_lines_dropped"]
    assert (answer, code) == (b"You said: Hello\n", 0)
    assert noise == list(range(len(noise)))
    assert told == ([3000 - len(noise)] if is_read else [])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_a_session_whose_log_nobody_reads(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """The answer in flight is whole, and the process ends without a second signal."""
    command = Command("-p", local(tmp_path, interval_ms=50), folder=tmp_path, before=NOISY)
    process = command.process
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"one two three four five six\n")
    begun = process.stdout.read(1)
    command.send_signal(number)
    answer = begun + b"".join(process.stdout)
    ended = process.wait()
    process.stdin.close()
    command.release()

    assert (answer, ended) == (b"You said: one two three four five six\n", code)


def test_text_and_log_of_the_command_share_a_pipe_line_by_line(tmp_path: Path) -> None:
    """With `2>&1` an answer that streams for a while is whole, and so is every line of the log."""
    before = "import os; os.dup2(1, 2)"
    ended = Command("-v", "-p", local(tmp_path, interval_ms=5), folder=tmp_path, before=before).end("a b c d e\n" * 5)

    lines = ended.stdout.splitlines()
    texts = [line for line in lines if not line.startswith("{")]
    assert texts == ["You said: a b c d e"] * 5
    assert "session_closed" in [json.loads(line)["event"] for line in lines if line.startswith("{")]


def test_put_all_waits_for_a_descriptor_that_does_not_block() -> None:
    """Who shares the descriptor may have made it non-blocking: a full pipe loses nothing."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    data = os.urandom(300_000)
    got: list[bytes] = []

    def collect() -> None:
        while sum(map(len, got)) < len(data):
            got.append(os.read(read, 65536))

    reader = threading.Thread(target=collect)
    reader.start()
    with FileIO(write, "w") as file:
        put_all(file, data)
    reader.join()
    os.close(read)

    assert b"".join(got) == data


def test_the_line_of_dropped_lines_is_a_line_of_the_log(tmp_path: Path) -> None:
    """It has a time, a level and the count, in the order of all lines."""
    with (tmp_path / "log").open("w") as stream:
        logs.configure(format="json", stream=stream)
    line = json.loads(logs._line_of_dropped(7))

    assert list(line) == ["timestamp", "level", "event", "count"]
    assert (line["event"], line["level"], line["count"]) == ("log_lines_dropped", "warning", 7)
