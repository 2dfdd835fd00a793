"""Writes the lines of the log in a thread, so that a reader who does not read keeps nobody waiting."""

import select
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import FileIO
from typing import Final, Protocol, TextIO

from runner.standard_streams import LineTurns

MAX_QUEUE_BYTES: Final = 1024 * 1024
"""How far the log may fall behind, in bytes."""

_LINE_OVERHEAD_BYTES = 100
"""What holding a line takes besides its bytes."""


class LogTarget(Protocol):
    """The place where lines of the log end up; called in the writer's thread, but for `hurry`."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Write these lines; it may wait, and raise `OSError`."""

    def hurry(self) -> None:
        """Wait for nothing but the reader any more."""


class StreamTarget:
    """Writes lines to a descriptor, in turn with the text that goes to the same place.

    Args:
        descriptor: The descriptor, which stays open.
        turns: The turns on the place where it leads.
    """

    def __init__(self, descriptor: int, turns: LineTurns) -> None:
        self._file = FileIO(descriptor, "wb", closefd=False)
        self._turns = turns

    def write(self, lines: Sequence[bytes]) -> None:
        """Write these lines; raises `OSError`."""
        for data in _together(lines):
            self._turns.put_lines(self._file, data)

    def hurry(self) -> None:
        """Wait for no end of the text's line any more."""
        self._turns.hurry()


def _together(lines: Sequence[bytes]) -> Iterator[bytes]:
    """The lines in pieces that a pipe takes whole or not at all, so that none is torn where the process ends."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > select.PIPE_BUF - 1:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece


class LogWriter:
    """Takes lines without waiting and writes them in order; lines that do not fit are dropped, and counted.

    Args:
        target: Where they end up; what it cannot write is lost.
        dropped: Makes the line that says how many were dropped, which comes in their place.
        max_queue_bytes: How far the target may fall behind, in bytes.
    """

    def __init__(
        self, target: LogTarget, *, dropped: Callable[[int], bytes], max_queue_bytes: int = MAX_QUEUE_BYTES
    ) -> None:
        self._target = target
        self._line_of_dropped = dropped
        self._max_queue_bytes = max_queue_bytes
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._held_bytes = 0
        """The size of what waits and of what is being written."""
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def put(self, line: bytes) -> None:
        """Queue a line, or drop it where the queue is full."""
        size_bytes = len(line) + _LINE_OVERHEAD_BYTES
        with self._changed:
            if self._held_bytes and self._held_bytes + size_bytes > self._max_queue_bytes:
                self._dropped += 1
                return
            self._tell_dropped()
            self._hold(line)
            if self._thread is None:
                # A daemon: the end of the process must not wait for who reads.
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, *, within_s: float) -> bool:
        """Wait until everything is written, for so many seconds at most; returns whether it is."""
        self._target.hurry()
        with self._changed:
            return self._changed.wait_for(lambda: not self._held_bytes and not self._dropped, within_s)

    def _hold(self, line: bytes) -> None:
        self._waiting.append(line)
        self._held_bytes += len(line) + _LINE_OVERHEAD_BYTES

    def _tell_dropped(self) -> None:
        if self._dropped:
            count, self._dropped = self._dropped, 0
            self._hold(self._line_of_dropped(count))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                lines = list(self._waiting)
                self._waiting.clear()
            # Where it fails, there is no place left to say so.
            with suppress(OSError, ValueError):
                self._target.write(lines)
            with self._changed:
                self._held_bytes -= sum(len(line) + _LINE_OVERHEAD_BYTES for line in lines)
                if not self._waiting:
                    self._tell_dropped()
                self._changed.notify_all()


class LenientStream:
    """A text stream whose failure must not end a session: a log line that cannot be written is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write a text, or lose it."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            return

    def flush(self) -> None:
        """Write what the stream holds back, or lose it."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return


class QueuedStream:
    """A text stream for structlog that hands its lines to the writer of the log."""

    def __init__(self, writer: LogWriter, encoding: str) -> None:
        self._writer = writer
        self._encoding = encoding

    def write(self, text: str) -> None:
        """Queue a text."""
        self._writer.put(text.encode(self._encoding, "backslashreplace"))

    def flush(self) -> None:
        """Wait for nothing: the writer writes."""
        return
