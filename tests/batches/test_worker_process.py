"""A process that runs rows: its results, and what becomes of its rows when it dies."""

import os
import signal
from pathlib import Path

import anyio
import pytest

from runner.batches.batch_row import BatchRow
from runner.batches.row_worker import WorkerLost
from runner.batches.worker_process import WorkerTask, worker_processes
from runner.profile import load_profile
from tests.helpers.log_capture import captured_log

PROFILE = """
version = 1
[endpoint]
kind = "local"
delta_interval_ms = 50
script = [{ match = 'long', reply = "One two three four five six seven eight nine ten." }]
[session]
output_modalities = ["text"]
"""


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_process_runs_rows_and_is_replaced_when_it_dies(tmp_path: Path) -> None:
    """What it was running is lost, and known to be; signals of a terminal or a service manager do not end it."""
    (tmp_path / "echo.toml").write_text(PROFILE)
    task = WorkerTask(load_profile(str(tmp_path / "echo.toml"), environ={}), "warning", "json")
    with captured_log() as logged:
        async with worker_processes(1, task) as (worker,):
            short = await worker.run(BatchRow("1", 1, "d", text="Hello"))
            first = worker.pid
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(first, number)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_kill_soon, first)
                with pytest.raises(WorkerLost, match=r"the worker process that ran it has died \(signal 9\)"):
                    await worker.run(BatchRow("2", 2, "d", text="a long story"))
            again = await worker.run(BatchRow("3", 3, "d", text="Again"))
            second = worker.pid

    assert (short.text, again.text, again.id) == ("You said: Hello", "You said: Again", "3")
    assert second not in {0, first}
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)
    assert [(each["event"], each["exit_code"]) for each in logged if each["event"] == "worker_died"] == [
        ("worker_died", -9)
    ]


async def _kill_soon(pid: int) -> None:
    await anyio.sleep(0.2)
    os.kill(pid, signal.SIGKILL)
