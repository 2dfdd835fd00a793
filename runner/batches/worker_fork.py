"""Workers that are forked: they have what this process has imported, and begin at once."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from runner import logs
from runner.batches.begun_worker import BegunWorker, ForkedProcess
from runner.errors import RunnerError
from runner.standard_streams import STDERR, STDOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.batches.worker_process import WorkerTask

_STDIN: Final = 0
_THREADS: Final = Path("/proc/self/task")


def forked_workers(count: int, task: WorkerTask, *, give_up: Callable[[], None]) -> list[BegunWorker]:
    """Fork workers, as many as can be; those that are missing are started as other programs are.

    Args:
        count: How many.
        task: What they are told.
        give_up: Called in each, to close what is for this process alone.
    """
    if not _can_fork():
        return []
    # A worker needs it, and would import it again: the loop, and what runs sessions.
    __import__("anyio._backends._asyncio")
    if task.uses_uvloop:
        __import__("uvloop")
    import runner.batches.worker_main  # noqa: F401  # the workers use it
    from runner.batches.collector import collect_rarely

    collect_rarely()
    workers: list[BegunWorker] = []
    for _ in range(count):
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                pid = os.fork()
            except OSError:
                ours.close()
                break
            if not pid:
                _become_worker(task, theirs, [ours, *(each.end for each in workers)], give_up)
            workers.append(BegunWorker(ForkedProcess(pid), ours))
    return workers


def _can_fork() -> bool:
    """Whether a fork is safe: a thread would be missing in it, and its locks would be held for ever."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
        return sum(1 for _ in _THREADS.iterdir()) == 1
    except OSError:
        return False


def _become_worker(
    task: WorkerTask, end: socket.socket, others: list[socket.socket], give_up: Callable[[], None]
) -> NoReturn:
    """Run rows, and end this process: nothing of the process that was forked is gone on with."""
    from runner.batches.worker_main import work

    code = 0
    try:
        # A signal of the terminal is for the process that hands the rows out.
        os.setsid()
        for each in others:
            each.close()
        give_up()
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, _STDIN)
        os.close(nowhere)
        os.dup2(STDERR, STDOUT)
        work(task, end)
    except Exception as error:  # noqa: BLE001  # there is nobody else to tell
        logs.logger().error("internal_error", exc_info=error)
        logs.finish()
        code = RunnerError.exit_code
    finally:
        os._exit(code)
