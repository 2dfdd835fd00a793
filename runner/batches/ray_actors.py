"""What runs in the processes of a Ray cluster: it knows nothing of Ray, which makes actors of these classes."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from runner import __version__, logs
from runner.batches.batch_row import BatchRow
from runner.batches.row_worker import LocalWorker
from runner.batches.session_limiter import LocalLimiter
from runner.errors import reason_of

if TYPE_CHECKING:
    from runner.batches.batch_result import BatchResult
    from runner.batches.worker_process import WorkerTask
    from runner.settings.batch_settings import BatchSettings

MOST_KEPT: Final = 256
"""So many results are kept for a driver that could not be told of them."""


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

    Args:
        settings: The rates.
    """

    def __init__(self, settings: BatchSettings) -> None:
        self._limiter = LocalLimiter(settings)

    async def begin(self) -> None:
        """Wait until one more session may begin, and count it."""
        await self._limiter.begin()

    async def end(self, tokens: int) -> None:
        """A session is over, and has used so many tokens."""
        await self._limiter.end(tokens)
