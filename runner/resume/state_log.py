"""The changes of one session in its file, which is rewritten before it grows too large."""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

from runner import logs
from runner.errors import OutputError
from runner.resume.saved_state import line
from runner.resume.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.resume.saved_state import SavedState
    from runner.resume.state_file import StateFile
    from runner.resume.state_model import StateChange

_LEAST_BYTES: Final = 64 * 1024
"""A file of less than this, in bytes, is not worth being rewritten."""


class StateLog:
    """Takes changes, and writes them.

    Args:
        file: The file, which is this process's alone.
        saved: What it says.
        max_bytes: How large it may grow.

    Attributes:
        file: As above.
        saved: What the file says once everything taken is written.
        snapshot: Finds the changes.
    """

    def __init__(self, file: StateFile, saved: SavedState, max_bytes: int) -> None:
        self.file = file
        self.saved = saved
        self.snapshot = Snapshot(saved)
        self._max_bytes = max_bytes
        self._whole_bytes = 0
        """What all of it has taken when the file was rewritten last, in bytes."""
        self._taken_bytes = 0
        """How large the file is once everything taken is written, where that is more than it holds now, in bytes."""
        self._turn = threading.Lock()
        self._due: deque[Callable[[], None]] = deque()
        """What was taken and is not written: a thread that was given up before it began has left it."""

    def take(self, change: StateChange) -> None:
        """Take the newest change, which the next `write` writes."""
        data = line(change)
        size_bytes = max(self._taken_bytes, self.file.size_bytes) + len(data)
        if size_bytes <= min(self._max_bytes, max(_LEAST_BYTES, 2 * self._whole_bytes)):
            self._taken_bytes = size_bytes
            self._due.append(partial(self.file.append, data))
            return
        lines = self.saved.lines()
        if len(lines) > self._max_bytes // 2 and (gone := self.saved.cut(self._max_bytes // 2)):
            self.snapshot.leave_out(gone)
            logs.logger().warning("state_cut", path=str(self.file.path), items=len(gone))
            lines = self.saved.lines()
        self._whole_bytes = self._taken_bytes = len(lines)
        self._due.append(partial(self._rewrite, lines, data))

    def write(self) -> None:
        """Write all that was taken, which is on the disk when this returns; for a thread, since it blocks.

        Raises:
            OutputError: It cannot be written, nor anything after it.
        """
        with self._turn:
            while self._due:
                self._due[0]()
                self._due.popleft()

    def close(self) -> None:
        """Leave the file to other processes once all threads have left it; a second time does nothing."""
        with self._turn:
            self.file.close()

    def _rewrite(self, lines: bytes, data: bytes) -> None:
        try:
            self.file.replace(lines)
        except OutputError:
            # There may be room for one line more, where there is none for a second file.
            if self.file.size_bytes + len(data) > self._max_bytes:
                raise
            self.file.append(data)
