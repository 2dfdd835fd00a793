"""What runs in the processes of a Ray cluster, here without one."""

import asyncio
from pathlib import Path

import anyio
import pytest

from runner import __version__
from runner.batches import ray_actors
from runner.batches.batch_result import BatchResult
from runner.batches.batch_row import BatchRow
from runner.batches.ray_actors import MOST_KEPT, LimiterActor, RowActor
from runner.batches.worker_process import WorkerTask
from runner.profile.load import load_profile
from runner.settings.batch_settings import BatchSettings

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]
FOLDERS = [("a", "0.0.1"), ("file/below", __version__), ("a/b", __version__)]
ROW = {"line": 1, "digest": "d", "text": "Hello"}


class SlowWorker:
    """Stands in for a session: it takes as long as the test says."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.has_begun, self.may_end = anyio.Event(), anyio.Event()

    async def run(self, row: BatchRow) -> BatchResult:
        """Wait, and succeed."""
        self.begun.append(row.id)
        self.has_begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled.append(row.id)
            raise
        fields = {"digest": row.digest, "profile": "local", "status": "succeeded", "exit_code": 0, "duration_s": 0.0}
        return BatchResult.model_validate({"id": row.id, "started_at": "", **fields})


@pytest.fixture
def actor() -> RowActor:
    """An actor for the profile `local`."""
    return RowActor(WorkerTask(load_profile("local"), "error", "json"))


async def test_a_row_is_a_session_of_its_own(actor: RowActor) -> None:
    """The result comes as a line."""
    result = BatchResult.model_validate_json(await actor.run({"id": "1", **ROW}, "a"))

    assert (result.id, result.status, result.digest) == ("1", "succeeded", "d")
    assert result.text.startswith("Hello! I am the local endpoint.")


async def test_relative_paths_start_where_the_command_was_given(
    actor: RowActor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a node, too; one that cannot have this folder, or has another rt-run, runs no rows."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    problems = [await actor.settle(str(tmp_path / each), version) for each, version in FOLDERS]

    assert problems[0] == f"the node has rt-run {__version__}, and the command is 0.0.1"
    assert problems[1].startswith(
        f"the node cannot have the folder {tmp_path}/file/below, where relative paths start: "
    )
    assert problems[2] == ""
    assert Path.cwd() == tmp_path / "a" / "b"


async def test_an_attempt_begins_once_however_often_it_is_asked_for(actor: RowActor) -> None:
    """Whoever has lost the way to the actor asks again, and gets what came meanwhile; old results are let go."""
    worker = SlowWorker()
    actor._worker = worker  # type: ignore[assignment]  # it has what is used of it
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(actor.run({"id": "1", **ROW}, "a")) for _ in range(2)]
        await worker.has_begun.wait()
        worker.may_end.set()
    lines = [each.result() for each in asked]
    lines.append(await actor.run({"id": "1", **ROW}, "a"))
    await actor.run({"id": "1", **ROW}, "b")
    for number in range(MOST_KEPT):
        await actor.run({"id": "2", **ROW}, f"c{number}")

    assert len(set(lines)) == 1
    assert worker.begun[:2] == ["1", "1"]
    assert len(actor._attempts) == MOST_KEPT


@pytest.mark.parametrize("is_killed", [False, True])
async def test_a_batch_that_is_gone_holds_up_no_other(monkeypatch: pytest.MonkeyPatch, is_killed: bool) -> None:
    """What it still had running counts no longer, whether it could say so or not."""
    monkeypatch.setattr(ray_actors, "WATCH_S", 0.001)
    monkeypatch.setattr(ray_actors, "SILENT_S", 0.001 if is_killed else 3600)
    limiter = LimiterActor(BatchSettings(max_tokens_per_minute=10))
    await limiter.begin("first")
    await limiter.end("first", 9)
    limiter._limiter._rates._used.clear()
    limiter._limiter._rates._used_tokens = 0
    await limiter.begin("first")
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(limiter.begin("second"))
        if not is_killed:
            await anyio.wait_all_tasks_blocked()
            assert not waiting.done()
            await limiter.leave("first")
    await limiter.end("first", 9)

    assert +limiter._running == {"second": 1}
    assert limiter._watch is not None
    limiter._watch.cancel()


async def test_a_row_that_is_cancelled_ends(actor: RowActor) -> None:
    """And its session with it."""
    worker = SlowWorker()
    actor._worker = worker  # type: ignore[assignment]  # it has what is used of it
    asked = asyncio.create_task(actor.run({"id": "1", **ROW}, "a"))
    await worker.has_begun.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await asyncio.sleep(0)

    assert worker.cancelled == ["1"]
