"""A process that runs rows: a worker of its own core, started when the first row is for it."""

from __future__ import annotations

import pickle
import socket
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import anyio.abc

import runner
from runner import logs
from runner.batches.batch_result import BatchResult
from runner.batches.line_channel import LineChannel
from runner.batches.row_worker import WorkerLost
from runner.protocol.json_text import dumps
from runner.standard_streams import STDERR
from runner.task_groups import body_task_group
from runner.unused_imports import inherited_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from runner.batches.batch_row import BatchRow, RowKey
    from runner.batches.begun_worker import BegunWorker
    from runner.profile.load import LoadedProfile

SIZE_BYTES: Final = 8
"""How many bytes the size of a task has, which comes before it."""
_LEAVE_S: Final = 5.0
_BEGIN: Final = (
    "import sys; sys.path.append(sys.argv[1]); from runner.batches.worker_main import main; main(int(sys.argv[2]))"
)


@dataclass(frozen=True)
class WorkerTask:
    """What a worker process is told once; secrets are references, which it resolves itself."""

    loaded: LoadedProfile
    log_level: logs.Level
    log_format: logs.Format
    uses_uvloop: bool = False


@dataclass
class _Waiting:
    ended: anyio.Event = field(default_factory=anyio.Event)
    result: BatchResult | None = None


class _Process(Protocol):
    @property
    def returncode(self) -> int | None: ...

    async def wait(self) -> int: ...

    def kill(self) -> None: ...


class WorkerProcess:
    """Runs rows in another process, which is started anew where it dies; `worker_processes` makes some.

    Args:
        task: What it is told.
        tasks: Where its results are awaited.
        begun: The worker that runs already, None where it is to be started for its first row.

    Attributes:
        pid: The id of the process, 0 while there is none.
    """

    def __init__(self, task: WorkerTask, tasks: anyio.abc.TaskGroup, begun: BegunWorker | None = None) -> None:
        self._task = task
        self._tasks = tasks
        self._starting = anyio.Lock()
        self._channel: LineChannel | None = None
        self._waiting: dict[RowKey, _Waiting] = {}
        self._death = ""
        self.pid = 0
        if begun:
            self._have(begun.process, begun.process.pid, begun.end)

    async def run(self, row: BatchRow) -> BatchResult:
        """Run one row there.

        Raises:
            WorkerLost: The process has died; the row may have begun.
        """
        waiting = self._waiting[row.key] = _Waiting()
        try:
            async with self._starting:
                channel = self._channel or await self._started()
            with suppress(OSError):  # its end tells all who wait
                await channel.send(dumps(asdict(row)).encode() + b"\n")
            await waiting.ended.wait()
        finally:
            self._waiting.pop(row.key, None)
        if waiting.result is None:
            msg = f"the worker process that ran it has died{self._death}"
            raise WorkerLost(msg, hint="a process that is ended with SIGKILL has often used more memory than there is")
        return waiting.result

    async def _started(self) -> LineChannel:
        ours, theirs = socket.socketpair()
        with theirs:
            folder = str(Path(runner.__file__).parent.parent)
            process = await anyio.open_process(
                [sys.executable, "-P", "-c", _BEGIN, folder, str(theirs.fileno())],
                stdin=DEVNULL,
                stdout=STDERR,
                stderr=STDERR,
                env=inherited_environment(),
                # A signal of the terminal is for the process that hands the rows out.
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
        channel = self._have(process, process.pid, ours)
        with suppress(OSError):
            told = pickle.dumps(self._task)
            await channel.send(len(told).to_bytes(SIZE_BYTES) + told)
        return channel

    def _have(self, process: _Process, pid: int, end: socket.socket) -> LineChannel:
        channel = self._channel = LineChannel(end)
        self.pid = pid
        self._tasks.start_soon(self._serve, process, channel)
        return channel

    async def _serve(self, process: _Process, channel: LineChannel) -> None:
        """Take results, until the process ends or is no longer needed; it is gone then."""
        try:
            async for line in channel.lines():
                result = BatchResult.model_validate_json(line)
                if waiting := self._waiting.get(result.key):
                    waiting.result = result
                    waiting.ended.set()
            # Nobody has asked it to end.
            await _end(process)
            code = process.returncode or 0
            self._death = f" (signal {-code})" if code < 0 else f" (exit code {code})"
            logs.logger().warning("worker_died", pid=self.pid, exit_code=code, rows=len(self._waiting))
        finally:
            self._channel, self.pid = None, 0
            channel.close()
            with anyio.CancelScope(shield=True):
                await _end(process)
            for waiting in self._waiting.values():
                waiting.ended.set()


@asynccontextmanager
async def worker_processes(
    count: int, task: WorkerTask, begun: Sequence[BegunWorker] = ()
) -> AsyncIterator[list[WorkerProcess]]:
    """Have so many worker processes, those first that run already; they end with the block."""
    first = [*begun, *[None] * count][:count]
    async with body_task_group() as tasks:
        yield [WorkerProcess(task, tasks, each) for each in first]


async def _end(process: _Process) -> None:
    """Wait for a process whose channel is closed, and kill it where it stays."""
    with anyio.move_on_after(_LEAVE_S):
        await process.wait()
        return
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
