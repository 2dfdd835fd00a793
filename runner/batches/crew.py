"""Who runs the rows of a batch: workers, and the limiter that holds for all of them."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from runner.batches.session_limiter import LocalLimiter
from runner.settings.batch_settings import BatchSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from runner.batches.begun_worker import BegunWorker
    from runner.batches.row_worker import RowWorker
    from runner.batches.session_limiter import SessionLimiter
    from runner.batches.worker_process import WorkerTask

_SESSIONS_A_WORKER: Final = 16
_ROWS_A_WORKER: Final = 50
"""So many rows are worth a worker."""


@dataclass(frozen=True)
class Crew:
    """The workers of a batch, at least one, and their limiter."""

    workers: Sequence[RowWorker]
    limiter: SessionLimiter


class HasCrew(Protocol):
    """Has a crew for as long as its context lasts: on this machine, or elsewhere."""

    def __call__(self, task: WorkerTask, rows: int) -> AbstractAsyncContextManager[Crew]:
        """The context.

        Args:
            task: What the workers are told.
            rows: How many rows there are to run.
        """


@asynccontextmanager
async def local_crew(task: WorkerTask, rows: int, *, begun: Sequence[BegunWorker] = ()) -> AsyncIterator[Crew]:
    """Have workers on this machine: this process where it is one, and processes of their own else.

    Args:
        task: What the workers are told.
        rows: How many rows there are to run.
        begun: The workers that run already.
    """
    settings = task.loaded.profile.batch or BatchSettings()
    count, limiter = worker_count(settings, rows), LocalLimiter(settings)
    if count == 1:
        from runner.batches.collector import collect_rarely
        from runner.batches.local_worker import LocalWorker

        # What runs sessions has come only now.
        collect_rarely()
        yield Crew([LocalWorker(task.loaded)], limiter)
        return
    from runner.batches.worker_process import worker_processes

    async with worker_processes(count, task, begun) as workers:
        yield Crew(workers, limiter)


def worker_count(settings: BatchSettings, rows: int) -> int:
    """How many processes of this machine run so many rows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    usual = min(cores, -(-settings.concurrency // _SESSIONS_A_WORKER), -(-rows // _ROWS_A_WORKER))
    return max(1, min(settings.workers or usual, rows))
