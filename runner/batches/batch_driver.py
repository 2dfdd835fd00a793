"""Hands the rows of a batch out to workers, each to one at a time, and keeps what becomes of them."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import anyio

from runner import logs
from runner.batches.batch_result import WORKER_LOST, BatchResult
from runner.batches.row_worker import WorkerLost, row_error
from runner.connect.changes import Changes
from runner.errors import AccessRefused, OutputError, RunnerError, SessionRefused
from runner.session.backoff import bound_s
from runner.settings.batch_settings import BatchSettings
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.batches.batch_row import BatchRow
    from runner.batches.batch_totals import BatchTotals
    from runner.batches.results_file import ResultsFile
    from runner.batches.row_worker import RowWorker
    from runner.batches.session_limiter import SessionLimiter
    from runner.profile.load import LoadedProfile

_TOGETHER_S: Final = 0.05
"""How long a result waits for others, so that one fsync is for all; a kill costs that, and what the disk takes."""
_MOST_WAITING: Final = 64
"""How many results may wait for a slow disk; a slot whose result makes them more takes no row meanwhile."""

StopReason = Literal["signal", "max_cost", "max_consecutive_failures", "failed"]


class BatchDriver:
    """Runs the rows of a batch to their ends, which a signal, a budget or failures may bring about earlier.

    Args:
        rows: The rows to run; each is taken when it begins.
        workers: Who runs them, at least one.
        results: Where their results are kept.
        limiter: Says when a session may begin.
        totals: Adds up what becomes of them.
        loaded: The profile, which says how many sessions there are at once, how often a row is tried, and what all may
            cost.

    Attributes:
        totals: As above.
        stopped_by: Why no more rows are handed out, nothing while they are.
        failure: What has ended the batch before its end, None where nothing has.
        running: How many rows have begun and not ended.
    """

    def __init__(
        self,
        rows: Iterator[BatchRow],
        workers: Sequence[RowWorker],
        results: ResultsFile,
        limiter: SessionLimiter,
        totals: BatchTotals,
        loaded: LoadedProfile,
    ) -> None:
        self.totals = totals
        self.stopped_by: StopReason | None = None
        self.failure: RunnerError | None = None
        self.running = 0
        self._rows = rows
        self._workers = workers
        self._results = results
        self._limiter = limiter
        self._profile = loaded.name
        self._settings = loaded.profile.batch or BatchSettings()
        self._delays = loaded.profile.run.reconnect
        self._failures_in_row = 0
        self._changes = Changes()
        """Notified where a result waits for the disk, and where some have come to it."""
        self._all = anyio.CancelScope()
        self._idle: set[anyio.CancelScope] = set()
        """The scopes of those who wait before a session begins: there is nothing in them that has to end."""

    async def execute(self) -> None:
        """Run the rows; it returns when nothing runs any more, and what is known of them is on the disk."""
        try:
            async with body_task_group() as tasks:
                tasks.start_soon(self._write)
                with self._all:
                    async with anyio.create_task_group() as slots:
                        for number in range(self._settings.concurrency):
                            slots.start_soon(self._serve, self._workers[number % len(self._workers)])
        finally:
            try:
                await self._results.aclose()
            except RunnerError as error:
                self.failure = self.failure or error
            finally:
                self._count_written()

    def drain(self, *, within_s: float) -> None:
        """Hand out no more rows because of a signal; those that run have so many seconds to end."""
        self._stop("signal")
        self._all.deadline = min(self._all.deadline, anyio.current_time() + within_s)

    def force(self) -> None:
        """End at once; rows that run have no result."""
        self._stop("signal")
        self._all.cancel()

    def _stop(self, reason: StopReason, failure: RunnerError | None = None) -> None:
        self.stopped_by = self.stopped_by or reason
        self.failure = self.failure or failure
        for scope in self._idle:
            scope.cancel()

    async def _serve(self, worker: RowWorker) -> None:
        """Run one row after another."""
        try:
            while self.stopped_by is None and (row := next(self._rows, None)) is not None:
                # Earlier runs of the batch may have spent all of it.
                self._look_at_cost()
                if (result := await self._tried(worker, row)) is not None:
                    await self._keep(result)
        except RunnerError as error:
            # The rows cannot be read any more, or the results cannot be written.
            self._stop("failed", error)

    async def _tried(self, worker: RowWorker, row: BatchRow) -> BatchResult | None:
        """Run a row, as often as it may be tried; None where that was not to its end."""
        result: BatchResult | None = None
        while await self._may_begin(result):
            self.running += 1
            try:
                latest = await worker.run(row)
            except WorkerLost as error:
                latest = _lost(row, self._profile, error)
            finally:
                self.running -= 1
            await self._limiter.end(latest.tokens)
            result = latest.after(result) if result else latest
            if not result.may_pass or result.attempts >= self._settings.max_attempts:
                return result
            logs.logger().warning("row_failed", row=row.id, attempt=result.attempts, **_facts(result))
        if result is not None:
            self.totals.spend(result)
        return None

    async def _may_begin(self, failed: BatchResult | None) -> bool:
        """Wait until a session may begin, after a while where one has failed; False says that none shall."""
        if self.stopped_by is not None:
            return False
        with anyio.CancelScope() as scope:
            self._idle.add(scope)
            try:
                if failed is not None:
                    await anyio.sleep(random.uniform(0, bound_s(self._delays, failed.attempts)))  # noqa: S311  # spreads rows
                await self._limiter.begin()
            finally:
                self._idle.discard(scope)
        return self.stopped_by is None

    async def _keep(self, result: BatchResult) -> None:
        """Write a result, and stop where it says that going on is in vain, or too dear."""
        if result.fails_all and result.error:
            # No row is to blame, so that all are tried when the batch is run again.
            refused = AccessRefused if result.exit_code == AccessRefused.exit_code else SessionRefused
            self._stop("failed", refused(result.error.message, hint=result.error.hint, code=result.error.code))
            return
        if result.status == "failed":
            logs.logger().warning("row_failed", row=result.id, attempt=result.attempts, **_facts(result))
        self._failures_in_row = self._failures_in_row + 1 if result.status == "failed" else 0
        if self._failures_in_row >= self._settings.max_consecutive_failures:
            self._stop("max_consecutive_failures")
        self.totals.spend(result)
        self._look_at_cost()
        if result.is_unbegun:
            # Nothing was said: the row is left, and tried when the batch is run again.
            self.totals.leave(result)
            return
        self._results.put(result)
        self._changes.notify()
        while self._results.waiting > _MOST_WAITING and self.failure is None:
            await self._changes.next()

    async def _write(self) -> None:
        """Bring results to the disk while rows run, those of a moment together."""
        try:
            while True:
                while not self._results.waiting:
                    await self._changes.next()
                await anyio.sleep(_TOGETHER_S)
                await self._results.write()
                self._count_written()
                self._changes.notify()
        except OutputError as error:
            self._stop("failed", error)
            self._changes.notify()

    def _count_written(self) -> None:
        for result in self._results.written():
            self.totals.take(result)

    def _look_at_cost(self) -> None:
        """Stop where all that the rows may cost is spent."""
        most = self._settings.max_cost
        if most is not None and self.totals.cost >= most:
            self._stop("max_cost")


def _facts(result: BatchResult) -> dict[str, str | int]:
    error = result.error
    said = {"error": error.message, "hint": error.hint, "code": error.code} if error else {}
    return {**{name: text for name, text in said.items() if text}, "exit_code": result.exit_code}


def _lost(row: BatchRow, profile: str, error: WorkerLost) -> BatchResult:
    """The result of an attempt whose worker is gone."""
    return BatchResult(
        id=row.id,
        run=row.run,
        digest=row.digest,
        profile=profile,
        status="failed",
        reason=WORKER_LOST,
        exit_code=error.exit_code,
        error=row_error(error),
        started_at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        duration_s=0.0,
    )
