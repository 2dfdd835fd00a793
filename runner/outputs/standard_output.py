"""Standard output, which the sessions of a process share."""

import threading
from io import FileIO

import anyio

from runner.errors import RunnerError
from runner.outputs.session_output import Fail


class StandardOutput:
    """Standard output, on which the sessions of a process take turns, so that none tears a line of another.

    Args:
        is_shared: Whether several sessions write to it; answers are then shown when they are whole.

    Attributes:
        threads: Lets one thread write at a time, so that a slow reader keeps no other output waiting for a thread.
        lock: Held while a session writes; a thread that was abandoned may still do so.
    """

    def __init__(self, *, is_shared: bool) -> None:
        self.is_shared = is_shared
        self.threads = anyio.CapacityLimiter(1)
        self.lock = threading.Lock()
        self._fails: list[Fail] = []

    def open(self) -> FileIO:
        """The descriptor as a file, which stays open when the file is closed."""
        return FileIO(1, "wb", closefd=False)

    def on_failure(self, fail: Fail) -> None:
        """Call `fail` when nothing can be written any more."""
        self._fails.append(fail)

    def fail(self, error: RunnerError) -> None:
        """Report to every session, once, that nothing can be written any more."""
        fails, self._fails = self._fails, []
        for fail in fails:
            fail(error)
