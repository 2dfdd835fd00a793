"""The process of a worker: it runs the rows that it is sent, and ends when nobody sends any more."""

from __future__ import annotations

import pickle
import signal
import socket
from contextlib import suppress

import anyio
import anyio.abc
from pydantic_core import from_json

from runner import logs
from runner.batches.batch_row import BatchRow
from runner.batches.collector import collect_rarely
from runner.batches.line_channel import LineChannel
from runner.batches.local_worker import LocalWorker
from runner.batches.worker_process import SIZE_BYTES, WorkerTask
from runner.tools.printed_lines import printing_to_log


def main(descriptor: int) -> None:
    """Be told what to do over this socket, and run rows until its other end is closed."""
    end = socket.socket(fileno=descriptor)
    end.setblocking(True)
    work(_received_task(end), end)


def work(task: WorkerTask, end: socket.socket) -> None:
    """Run rows until the other end of this socket is closed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Whoever hands the rows out decides; a handler, unlike SIG_IGN, is not inherited by programs.
        signal.signal(number, _ignore)
    logs.configure(level=task.log_level, format=task.log_format)
    collect_rarely()
    with printing_to_log():
        anyio.run(_serve, task, end, backend_options={"use_uvloop": task.uses_uvloop})
    logs.finish()


def _received_task(end: socket.socket) -> WorkerTask:
    """What this worker is to do, which comes first: its size, and then the task."""
    size_bytes = int.from_bytes(_received(end, SIZE_BYTES))
    task: WorkerTask = pickle.loads(_received(end, size_bytes))  # noqa: S301  # from the process that has started this one
    return task


def _received(end: socket.socket, size_bytes: int) -> bytes:
    data = end.recv(size_bytes, socket.MSG_WAITALL)
    if len(data) < size_bytes:
        raise SystemExit  # whoever has started it is gone
    return data


async def _serve(task: WorkerTask, end: socket.socket) -> None:
    channel, worker = LineChannel(end), LocalWorker(task.loaded)
    async with anyio.create_task_group() as tasks:
        async for line in channel.lines():
            tasks.start_soon(_run, worker, BatchRow(**from_json(line)), channel)
        tasks.cancel_scope.cancel()


async def _run(worker: LocalWorker, row: BatchRow, channel: LineChannel) -> None:
    result = await worker.run(row)
    with suppress(OSError):  # nobody waits for it any more
        await channel.send(result.line())


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing."""
