"""Standard output and standard error: whether they are one place, and whose turn it is to write there.

Where both are one file, pipe, terminal or journal, one rule decides: a log line waits for the end of the text's line,
five seconds at most, and then begins on a line of its own.
"""

import fcntl
import os
import select
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final, Protocol

STDOUT: Final = 1
STDERR: Final = 2
_LOWEST_KEPT: Final = 10
PATIENCE_S: Final = 5.0
"""How long a log line waits for the end of the text's line, in seconds."""


class TurnLeader(Protocol):
    """Draws what is written to a terminal; its methods return False where it does not any more."""

    def put_text(self, text: str) -> bool:
        """Draw text, which may end in the middle of a line."""

    def put_lines(self, text: str) -> bool:
        """Draw whole lines, and leave the line as it is that the text has begun."""


class LineTurns:
    """The turns of those who write to one place: text as it streams, and lines that stand by themselves.

    Args:
        patience_s: How long a line waits for the end of the text's line, in seconds.
    """

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._turn = threading.Condition(threading.Lock())
        self._is_midway = False
        self._is_urgent = False
        self._leader: TurnLeader | None = None

    def lead(self, leader: TurnLeader | None) -> None:
        """Have all that is written from now on drawn by this, or written as it is again."""
        self._leader = leader

    def put_text(self, file: FileIO, data: bytes) -> None:
        """Write text, which may end in the middle of a line; raises `OSError`."""
        with self._turn:
            try:
                if not (self._leader and self._leader.put_text(data.decode(errors="replace"))):
                    put_all(file, data)
            finally:
                self._is_midway = not data.endswith(b"\n") if data else self._is_midway
                if not self._is_midway:
                    self._turn.notify_all()

    def put_lines(self, file: FileIO, data: bytes) -> None:
        """Write whole lines, once the text has come to the end of its own; raises `OSError`."""
        with self._turn:
            self._turn.wait_for(lambda: self._is_urgent or not self._is_midway, self._patience_s)
            if self._leader and self._leader.put_lines(data.decode(errors="replace")):
                return
            start, self._is_midway = b"\n" if self._is_midway else b"", False
            put_all(file, start + data)

    def hurry(self) -> None:
        """Let lines wait for nothing any more: the text may never end."""
        # Without the lock, which a writer holds that hangs.
        self._is_urgent = True
        if self._turn.acquire(blocking=False):
            self._turn.notify_all()
            self._turn.release()


_TURNS = {STDOUT: LineTurns(), STDERR: LineTurns()}


_kept: dict[int, int] = {}
"""By its number, where a standard descriptor leads while something else has the number."""


def kept(descriptor: int) -> int:
    """The descriptor that leads where this standard one does, whatever has its number at the moment."""
    return _kept.get(descriptor, descriptor)


@contextmanager
def replaced(descriptor: int, other: int) -> Iterator[None]:
    """Have whoever knows a standard descriptor by its number, as the programs that are started do, write elsewhere.

    Args:
        descriptor: The standard descriptor, which is kept for those who ask for it.
        other: Where its number leads for the length of the block.

    Raises:
        OSError: It is closed.
    """
    place = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LOWEST_KEPT)
    os.dup2(other, descriptor)
    _kept[descriptor] = place
    try:
        yield
    finally:
        # It stays open: a thread that was abandoned in the middle of a write would write into what comes after it.
        del _kept[descriptor]
        os.dup2(place, descriptor)


def turns(descriptor: int) -> LineTurns:
    """The turns on standard output or standard error: the same for both where they are one place."""
    return _TURNS[STDOUT if are_one_place(STDOUT, STDERR) else descriptor]


def are_one_place(first: int, second: int) -> bool:
    """Whether what is written to two descriptors ends up in one file, pipe, terminal or journal."""
    try:
        one, other, null = os.fstat(kept(first)), os.fstat(kept(second)), Path(os.devnull).stat()
    except OSError:
        return False
    is_null = stat.S_ISCHR(one.st_mode) and one.st_rdev == null.st_rdev
    return os.path.samestat(one, other) and not is_null


def put_all(file: FileIO, data: bytes | bytearray) -> None:
    """Write all of it, however little the file takes at once; raises `OSError`."""
    with memoryview(data) as whole:
        start = 0
        while start < len(whole):
            written = file.write(whole[start:])
            if written is None:
                # A process that shares the descriptor has made it non-blocking.
                select.select([], [file], [])
            start += written or 0
