"""The driver with workers that do as a test says, in virtual time: who runs what, how often, and when it ends."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.batches.batch_driver import BatchDriver
from runner.batches.batch_result import BatchResult
from runner.batches.batch_row import BatchRow
from runner.batches.batch_totals import BatchTotals
from runner.batches.results_file import ResultsFile
from runner.batches.row_worker import WorkerLost
from runner.batches.session_limiter import LocalLimiter
from runner.errors import AccessRefused, InputError, OutputError
from runner.profile.load import LoadedProfile
from runner.profile.origins import Origins
from runner.settings.batch_settings import BatchSettings
from tests.helpers.peer import profile_for
from tests.helpers.virtual_time import in_virtual_time

Act = Callable[["ScriptedWorker", BatchRow], Any]


def ended(row: BatchRow, **changes: Any) -> BatchResult:
    """What has become of a row: it has succeeded, unless something else is said."""
    told = {"profile": "p", "status": "succeeded", "exit_code": 0, "started_at": "", "duration_s": 1.0, "cost": 1.0}
    named = {"id": row.id, "run": row.run, "digest": row.digest, "session_id": "sess"}
    return BatchResult.model_validate({**named, **told, **changes})


def failed(row: BatchRow, code: int, **changes: Any) -> BatchResult:
    """A row that has failed."""
    return ended(row, status="failed", exit_code=code, error={"message": f"failed with {code}"}, **changes)


class ScriptedWorker:
    """Runs rows as a function says, each for a second."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.attempts: Counter[str] = Counter()
        self.running: Counter[str] = Counter()
        self.most = 0

    async def run(self, row: BatchRow) -> BatchResult:
        """Run one row."""
        self.attempts[row.id] += 1
        self.running[row.id] += 1
        self.most = max(self.most, self.running.total())
        assert self.running[row.id] == 1
        try:
            await anyio.sleep(1)
            done = self.act(self, row)
        finally:
            self.running[row.id] -= 1
        if isinstance(done, Exception):
            raise done
        assert isinstance(done, BatchResult)
        return done


class PromptResults(ResultsFile):
    """A file of results that is written without a thread, in which no virtual time could pass."""

    async def write(self) -> None:
        """Append all that waits."""
        self._put_waiting()

    async def aclose(self) -> None:
        """Write what waits, and close the file."""
        try:
            await self.write()
        finally:
            self.close()


class Driven:
    """A batch of ten rows, run in virtual time; the results stand in `written`, by their ids."""

    def __init__(
        self,
        folder: Path,
        act: Act,
        *,
        workers: int = 1,
        reads: Callable[[int], None] | None = None,
        spent: float = 0,
        **settings: Any,
    ) -> None:
        self.path = folder / "results.jsonl"
        self.workers = [ScriptedWorker(act) for _ in range(workers)]
        self.reads = reads
        self.totals = BatchTotals(10)
        self.totals.cost = spent
        batch = BatchSettings(**{"concurrency": 3, **settings})
        profile = profile_for(1, run={"reconnect": {"initial_delay_s": 2.0}}).model_copy(update={"batch": batch})
        self.loaded = LoadedProfile(profile, "p", Path("p.toml"), Origins({}))
        self.took_s = 0.0
        self.written: dict[str, BatchResult] = {}

    def run(self, *acts: tuple[float, Callable[[BatchDriver], None]]) -> BatchDriver:
        """Run it; at these moments do this with it."""
        return in_virtual_time(self._run, acts)

    async def _run(self, acts: Sequence[tuple[float, Callable[[BatchDriver], None]]]) -> BatchDriver:
        settings = self.loaded.profile.batch
        assert settings
        started_s, results = anyio.current_time(), PromptResults(self.path)
        results.read(lambda _: None)
        driver = BatchDriver(self._rows(), self.workers, results, LocalLimiter(settings), self.totals, self.loaded)
        async with anyio.create_task_group() as tasks:
            for at_s, act in acts:
                tasks.start_soon(self._act, at_s, act, driver)
            await driver.execute()
            self.took_s = anyio.current_time() - started_s
            tasks.cancel_scope.cancel()
        file = ResultsFile(self.path)
        file.read(lambda each: self.written.update({each.id: each}))
        file.close()
        return driver

    def _rows(self) -> Any:
        for number in range(10):
            if self.reads:
                self.reads(number)
            yield BatchRow(str(number), number + 1, "d")

    @staticmethod
    async def _act(at_s: float, act: Callable[[BatchDriver], None], driver: BatchDriver) -> None:
        await anyio.sleep(at_s)
        act(driver)

    @property
    def attempts(self) -> Counter[str]:
        """How often each row was tried, by all workers."""
        return sum((each.attempts for each in self.workers), Counter())


def test_rows_are_shared_out(tmp_path: Path) -> None:
    """Each is run once, by one worker, and so many at once as there are sessions."""
    driven = Driven(tmp_path, lambda _, row: ended(row), workers=2, concurrency=5)

    driver = driven.run()

    assert set(driven.written) == {str(number) for number in range(10)}
    assert set(driven.attempts.values()) == {1}
    assert [each.most for each in driven.workers] == [3, 2]
    assert driven.took_s == pytest.approx(2.0, abs=0.1)
    assert (driver.totals.succeeded, driver.totals.left, driver.totals.cost, driver.stopped_by) == (10, 0, 10.0, None)


def test_what_may_pass_is_tried_again_and_nothing_else(tmp_path: Path) -> None:
    """As often as the profile says; what all attempts have used counts, and a lost worker is an attempt."""

    def act(worker: ScriptedWorker, row: BatchRow) -> Any:
        match row.id:
            case "1":
                return failed(row, 75, usage={"input_tokens": 5})
            case "2" if worker.attempts["2"] == 1:
                return failed(row, 69, usage={"input_tokens": 5})
            case "3":
                return failed(row, 76)
            case "4":
                return WorkerLost("the worker has died")
        return ended(row, usage={"input_tokens": 1})

    driven = Driven(tmp_path, act, max_attempts=3)
    driver = driven.run()

    assert {name: count for name, count in driven.attempts.items() if count > 1} == {"1": 3, "2": 2, "4": 3}
    written = driven.written
    assert (written["1"].status, written["1"].attempts, written["1"].usage, written["1"].cost) == (
        "failed",
        3,
        {"input_tokens": 15},
        3.0,
    )
    assert (written["2"].status, written["2"].attempts, written["2"].usage) == ("succeeded", 2, {"input_tokens": 6})
    assert (written["3"].attempts, written["4"].attempts, written["4"].exit_code) == (1, 3, 75)
    assert written["4"].error
    assert written["4"].reason == "worker-lost"
    assert written["4"].error.message == "the worker has died"
    assert (driver.totals.succeeded, driver.totals.failed) == (7, 3)


def test_money_ends_a_batch(tmp_path: Path) -> None:
    """Rows that have begun end; the others are left."""
    driven = Driven(tmp_path, lambda _, row: ended(row), max_cost=4.0)

    driver = driven.run()

    assert (driver.stopped_by, driver.totals.left, len(driven.written)) == ("max_cost", 4, 6)

    spent = Driven(tmp_path / "again", lambda _, row: ended(row), max_cost=4.0, spent=4.0)
    driver = spent.run()
    assert (driver.stopped_by, spent.attempts.total()) == ("max_cost", 0)


def test_failures_in_a_row_end_a_batch(tmp_path: Path) -> None:
    """What fails them all is not the rows."""

    def act(_worker: ScriptedWorker, row: BatchRow) -> BatchResult:
        return failed(row, 76) if int(row.id) > 1 else ended(row)

    driven = Driven(tmp_path, act, concurrency=1, max_consecutive_failures=4)

    driver = driven.run()

    assert driver.stopped_by == "max_consecutive_failures"
    assert (driver.totals.succeeded, driver.totals.failed, driver.totals.left) == (2, 4, 4)


def test_rows_that_could_not_begin_are_left(tmp_path: Path) -> None:
    """An endpoint that cannot be reached fails no row for good, and ends the batch like other failures in a row."""

    def act(_worker: ScriptedWorker, row: BatchRow) -> BatchResult:
        return failed(row, 69, session_id="") if row.id in {"1", "4", "5"} else ended(row)

    driven = Driven(tmp_path, act, concurrency=1, max_attempts=2, max_consecutive_failures=2)

    driver = driven.run()

    assert (driver.stopped_by, set(driven.written)) == ("max_consecutive_failures", {"0", "2", "3"})
    assert {driven.attempts[each] for each in ("1", "4", "5")} == {2}
    assert (driver.totals.failed, driver.totals.left) == (0, 7)
    assert driver.totals.obstacles() == [("failed with 69", 3)]


def test_no_access_ends_a_batch_and_blames_no_row(tmp_path: Path) -> None:
    """All rows would meet it, so that none has a result; a row that was refused in its session has one."""
    driven = Driven(tmp_path, lambda _, row: failed(row, 77, session_id="") if int(row.id) > 3 else failed(row, 78))

    driver = driven.run()

    assert isinstance(driver.failure, AccessRefused)
    assert driver.failure.message == "failed with 77"
    assert set(driven.written) == {"0", "1", "2", "3"}
    assert driven.attempts.total() <= 4 + 3


def test_a_drain_gives_rows_their_time_and_no_more(tmp_path: Path) -> None:
    """Rows that run end within the grace period or are left; who waits for another attempt does not wait on."""

    def act(_worker: ScriptedWorker, row: BatchRow) -> BatchResult:
        return failed(row, 69) if row.id == "0" else ended(row)

    in_time = Driven(tmp_path, act, max_attempts=99)
    driver = in_time.run((1.5, lambda driver: driver.drain(within_s=10)))
    assert (driver.stopped_by, set(in_time.written)) == ("signal", {"1", "2", "3", "4"} & set(in_time.written))
    assert "0" not in in_time.written
    assert len(in_time.written) == driver.totals.done >= 3
    assert driver.totals.cost == driver.totals.done + in_time.attempts["0"]

    (tmp_path / "results.jsonl").unlink()
    late = Driven(tmp_path, lambda _, row: ended(row))
    driver = late.run((1.2, lambda driver: driver.drain(within_s=0.3)))
    assert set(late.written) == {"0", "1", "2"}
    assert late.took_s == pytest.approx(1.5, abs=0.1)

    (tmp_path / "results.jsonl").unlink()
    forced = Driven(tmp_path, lambda _, row: ended(row))
    driver = forced.run((1.2, BatchDriver.force))
    assert set(forced.written) == {"0", "1", "2"}
    assert forced.took_s == pytest.approx(1.2, abs=0.1)


def test_rows_that_cannot_be_read_any_more_end_a_batch(tmp_path: Path) -> None:
    """What runs ends, and is written."""

    def reads(number: int) -> None:
        if number == 4:
            raise InputError("the rows are gone")

    driven = Driven(tmp_path, lambda _, row: ended(row), reads=reads)
    driver = driven.run()

    assert driver.failure is not None
    assert driver.failure.message == "the rows are gone"
    assert {"0", "1", "2"} <= set(driven.written) <= {"0", "1", "2", "3"}


def test_results_that_cannot_be_written_end_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would know of a row that begins later; what has run is paid, and left."""

    async def write(_self: ResultsFile) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr(PromptResults, "write", write)
    driven = Driven(tmp_path, lambda _, row: ended(row))
    driver = driven.run()

    assert driver.failure is not None
    assert driver.failure.message == "the disk is full"
    assert driven.attempts.total() == 6
    assert (driver.totals.done, driver.totals.left, driver.totals.cost) == (0, 10, 6)


def test_a_disk_that_does_not_answer_holds_the_rows_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more results wait for it than are allowed, and all are written once it answers."""
    monkeypatch.setattr("runner.batches.batch_driver._MOST_WAITING", 4)
    waiting = list[int]()

    async def write(self: PromptResults) -> None:
        await anyio.sleep(60)
        waiting.append(self.waiting)
        self._put_waiting()

    monkeypatch.setattr(PromptResults, "write", write)
    driven = Driven(tmp_path, lambda _, row: ended(row))
    driver = driven.run()

    assert (driver.failure, driver.totals.done, len(driven.written)) == (None, 10, 10)
    # Each slot may hold one more while it waits.
    assert waiting[0] == 7
