"""What runs in the processes of a Ray cluster: it knows nothing of Ray, which makes actors of these classes."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final

import anyio

from runner import __version__, logs
from runner.batches.batch_row import BatchRow
from runner.batches.local_worker import LocalWorker
from runner.batches.session_limiter import LocalLimiter
from runner.errors import reason_of

if TYPE_CHECKING:
    from runner.batches.batch_result import BatchResult
    from runner.batches.worker_process import WorkerTask
    from runner.settings.batch_settings import BatchSettings

MOST_KEPT: Final = 256
"""So many results are kept for a driver that could not be told of them."""
SILENT_S: Final = 3600.0
"""A batch that is not heard of for so long, in seconds, has no sessions any more."""
WATCH_S: Final = 60.0
"""How often that is looked at, in seconds."""


class RowActor:
    """Runs rows, several at once; the profile's secrets are resolved here.

    Args:
        task: What to run.
    """

    def __init__(self, task: WorkerTask) -> None:
        logs.configure(level=task.log_level, format=task.log_format)
        self._worker = LocalWorker(task.loaded)
        self._attempts: dict[str, asyncio.Task[BatchResult]] = {}
        self._ended: deque[str] = deque()

    async def settle(self, folder: str, version: str) -> str:
        """Work in this folder, where relative paths start; returns why no row can be run here, or nothing.

        Args:
            folder: Where the command was given; it is made where it is not there.
            version: The command's version of rt-run.
        """
        if version != __version__:
            return f"the node has rt-run {__version__}, and the command is {version}"
        try:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103  # a path of another machine
            os.chdir(folder)
        except OSError as error:
            return f"the node cannot have the folder {folder}, where relative paths start: {reason_of(error)}"
        return ""

    async def run(self, row: dict[str, Any], attempt: str) -> bytes:
        """Run a row; returns its result as a line.

        Args:
            row: The fields of the `BatchRow`.
            attempt: A name for this attempt. Asked again by the same name, it does not begin again.
        """
        task = self._attempts.get(attempt)
        if task is None:
            # Whoever asks may be gone for a while, and ask again: so the row is nobody's child.
            task = self._attempts[attempt] = asyncio.create_task(self._worker.run(BatchRow(**row)))
            task.add_done_callback(lambda _: self._forget(attempt))
        try:
            return (await asyncio.shield(task)).line()
        except asyncio.CancelledError:
            task.cancel()
            raise

    def _forget(self, attempt: str) -> None:
        """Keep the result of an attempt that is over, and let the oldest one go."""
        self._ended.append(attempt)
        while len(self._ended) > MOST_KEPT:
            self._attempts.pop(self._ended.popleft(), None)


class LimiterActor:
    """The limiter of all batches of a cluster that run one profile with the same rates.

    A batch that is killed cannot say that its sessions are over. Those of one that says nothing for long are forgotten,
    so that the others do not wait for them.

    Args:
        settings: The rates.
    """

    def __init__(self, settings: BatchSettings) -> None:
        self._limiter = LocalLimiter(settings)
        self._running: Counter[str] = Counter()
        """How many sessions of each batch are counted."""
        self._heard_s: dict[str, float] = {}
        """When each batch was heard of."""
        self._watch: asyncio.Task[None] | None = None

    async def begin(self, batch: str) -> None:
        """Wait until one more session of a batch may begin, and count it."""
        self._watch = self._watch or asyncio.create_task(self._forget_silent())
        await self._limiter.begin()
        self._running[batch] += 1
        self._heard_s[batch] = anyio.current_time()

    async def end(self, batch: str, tokens: int) -> None:
        """A session of a batch is over, and has used so many tokens."""
        self._heard_s[batch] = anyio.current_time()
        if self._running[batch]:
            self._running[batch] -= 1
            await self._limiter.end(tokens)

    async def leave(self, batch: str) -> None:
        """A batch is over, with whatever sessions it still had."""
        self._heard_s.pop(batch, None)
        for _ in range(self._running.pop(batch, 0)):
            await self._limiter.end(0)

    async def _forget_silent(self) -> None:
        while True:
            await anyio.sleep(WATCH_S)
            now_s = anyio.current_time()
            for batch in [name for name, heard_s in self._heard_s.items() if now_s - heard_s > SILENT_S]:
                await self.leave(batch)
