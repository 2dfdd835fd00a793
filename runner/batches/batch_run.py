"""One run of a batch: from its rows and the results that there are to the results of all, and an exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runner import logs
from runner.batches.batch_driver import BatchDriver
from runner.batches.batch_plan import BatchPlan
from runner.batches.batch_totals import BatchTotals
from runner.batches.results_file import ResultsFile
from runner.batches.row_profile import shared_file_problems
from runner.batches.rows_file import RowsFile
from runner.errors import OutputError, UsageError
from runner.profile.problems import ProfileProblems
from runner.runs.signals import watch
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Coroutine

    from runner.batches.batch_result import BatchResult
    from runner.batches.crew import HasCrew
    from runner.batches.worker_process import WorkerTask
    from runner.profile.load import LoadedProfile

    Observe = Callable[[BatchDriver], Coroutine[Any, Any, None]]
    """Shows how far the batch has come, until it is cancelled."""

LEFT_CODE: Final = 75
"""The exit code where rows are left."""


class BatchRun:
    """A batch whose rows and earlier results are judged, and that can be run.

    Args:
        loaded: The profile.
        rows: The file of rows.
        results: The file of results; it is made where there is none.
        limit: How many rows from the first on; all without it.
        repeat: How often each is run.
        retries_failed: Whether rows that have failed are run again.

    Attributes:
        totals: What the rows come to.
        driver: What hands them out, None before the batch is run.
        torn_bytes: How much was cut off of a result that a crash has left unfinished.

    Raises:
        ProfileProblems: All rows would write one file.
        UsageError: Rows cannot be run, or the results are another batch's.
        OutputError: The results cannot be written.
    """

    def __init__(
        self,
        loaded: LoadedProfile,
        rows: Path,
        results: Path,
        *,
        limit: int | None = None,
        repeat: int = 1,
        retries_failed: bool = False,
    ) -> None:
        if problems := shared_file_problems(loaded, repeat=repeat):
            raise ProfileProblems(problems)
        self.totals = BatchTotals()
        self.driver: BatchDriver | None = None
        self._loaded = loaded
        self._results_path = results
        self._plan = BatchPlan(RowsFile(rows), loaded, limit=limit, repeat=repeat)
        if results.exists() and results.samefile(rows):
            msg = f"{results} is the file of rows"
            raise UsageError(msg, hint="--results names another file")
        kept = ResultsFile(results) if results.exists() else None
        try:
            self._done = kept.read(self._take) if kept else {}
            self.totals.rows = self._plan.check(results, self._done)
            if kept and retries_failed and self.totals.failed:
                # Only now is it known that they are the results of these rows.
                kept.forget_failed()
                self.totals = BatchTotals(self.totals.rows)
                self._done = kept.read(self._take)
        except BaseException:
            if kept:
                kept.close()
            raise
        self._results = kept or ResultsFile(results)
        if kept is None and not self._results.is_empty:
            self._results.close()
            msg = f"another batch has written {results} meanwhile"
            raise OutputError(msg, hint="the same command again goes on with what is missing")
        self.torn_bytes = self._results.torn_bytes
        self._is_drained = False
        self._forced_by: signal.Signals | None = None

    @property
    def name(self) -> str:
        """The profile's name."""
        return self._loaded.name

    @property
    def exit_code(self) -> int:
        """0 if all rows have succeeded, 1 if some have failed for good, 75 if some are left, and what ended it else."""
        if self._forced_by is not None:
            return 128 + self._forced_by
        if self.driver and self.driver.failure:
            return self.driver.failure.exit_code
        if self.totals.left:
            return LEFT_CODE
        return 1 if self.totals.failed else 0

    def close(self) -> None:
        """Close the file of results, in a process that does not run the batch."""
        self._results.close()

    async def execute(self, task: WorkerTask, has_crew: HasCrew, observe: Observe) -> None:
        """Run the rows that have no result.

        Args:
            task: What workers are told.
            has_crew: Has who runs them.
            observe: Shows how far the batch has come.
        """
        async with has_crew(task, self.totals.left) as crew, body_task_group() as tasks:
            driver = self.driver = BatchDriver(
                self._plan.pending(self._done),
                crew.workers,
                self._results,
                crew.limiter,
                self.totals,
                self._loaded,
            )
            await tasks.start(watch, self._take_signal)
            tasks.start_soon(observe, driver)
            await driver.execute()

    def _take(self, result: BatchResult) -> None:
        """Take an earlier result."""
        if result.profile != self._loaded.name:
            msg = f"{self._results_path} has results of the profile {result.profile}, and this is {self._loaded.name}"
            raise UsageError(msg, hint="give each batch a file of results of its own")
        self.totals.spend(result)
        self.totals.take(result)

    def _take_signal(self, number: signal.Signals) -> None:
        driver = self.driver
        if driver is None:
            return
        if self._is_drained:
            logs.logger().warning("forced", signal=number.name)
            self._forced_by = number
            driver.force()
        else:
            self._is_drained = True
            logs.note("signal_received", signal=number.name)
            driver.drain(within_s=self._loaded.profile.run.grace_s)
