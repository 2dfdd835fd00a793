"""Rows on a Ray cluster of this machine, where Ray is installed."""

import gc
from importlib.util import find_spec

import anyio
import pytest

from runner.batches.batch_row import BatchRow
from runner.batches.ray_limiter import RayLimiter
from runner.batches.ray_workers import RayWorkers, ray_crew
from runner.batches.row_worker import WorkerLost
from runner.batches.worker_process import WorkerTask
from runner.profile.load import load_profile
from runner.settings.batch_settings import BatchSettings

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
    pytest.mark.long,
    pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra `ray`"),
    # Ray leaves what it has started to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
SLOW = ["endpoint.delta_interval_ms=10000", "batch={ concurrency = 4, workers = 1, max_sessions_per_minute = 600 }"]
INTERVAL_S = 0.1


def row(name: str, text: str) -> BatchRow:
    """A row that asks this."""
    return BatchRow(name, 1, "d", text=text)


async def test_an_actor_that_dies_loses_its_row_and_is_replaced() -> None:
    """What it ran may have begun, and is not repeated; the limiter is one for all, and outlives its maker."""
    loaded = load_profile("local", sets=SLOW)
    async with ray_crew(WorkerTask(loaded, "error", "json"), 4, address=None) as crew:
        import ray  # not before: Ray looks at the environment as it is imported

        (workers,), limiter = crew.workers, crew.limiter
        assert isinstance(workers, RayWorkers)
        assert isinstance(limiter, RayLimiter)
        other = RayLimiter(loaded.name, loaded.profile.batch or BatchSettings())
        await limiter.begin()
        began_s = anyio.current_time()
        await other.begin()
        await limiter.begin()
        waited_s = anyio.current_time() - began_s
        ray.kill(other._actor)
        await limiter.begin()
        await other.end(1)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_lost, workers)
            await anyio.wait_all_tasks_blocked()
            (actor,) = workers._ready
            ray.kill(actor.handle)
        with anyio.move_on_after(0) as cancelled:
            await workers.run(row("2", "Hello"))
        result = await workers.run(BatchRow("3", 1, "d", text="Hello", variables={"unknown": "x"}))

    gc.collect()
    assert waited_s > INTERVAL_S
    assert cancelled.cancelled_caught
    assert (result.id, result.status, result.exit_code) == ("3", "failed", 78)
    assert actor not in workers._ready


async def _lost(workers: RayWorkers) -> None:
    """A row whose actor dies."""
    with pytest.raises(WorkerLost):
        await workers.run(row("1", "Hello"))
