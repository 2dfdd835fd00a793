"""A worker process that runs already when the batch begins."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import anyio

_UNKNOWN_CODE: Final = 255
"""The exit code of a process whose own somebody else was told."""


class ForkedProcess:
    """A process that this one has forked.

    Args:
        pid: Its id.

    Attributes:
        pid: As above.
        returncode: Its exit code, negative where a signal has ended it; None until that is known.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    async def wait(self) -> int:
        """Wait for its end; returns its exit code."""
        if self.returncode is None:
            code = _UNKNOWN_CODE
            # Where SIGCHLD is ignored, nobody is told, and the process may be gone already.
            with suppress(ChildProcessError, ProcessLookupError):
                descriptor = os.pidfd_open(self.pid)
                try:
                    await anyio.wait_readable(descriptor)
                finally:
                    os.close(descriptor)
                code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])  # noqa: ASYNC222  # it has ended
            self.returncode = code
        return self.returncode

    def kill(self) -> None:
        """End it at once; raises `ProcessLookupError` where it has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, signal.SIGKILL)


@dataclass(frozen=True)
class BegunWorker:
    """A worker that runs, and our end of the channel to it."""

    process: ForkedProcess
    end: socket.socket
