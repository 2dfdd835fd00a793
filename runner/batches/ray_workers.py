"""Runs rows on a Ray cluster: one actor a core, each with many sessions."""

from __future__ import annotations

import math
import os
import re
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import anyio
import anyio.abc

from runner import __version__, logs
from runner.batches.batch_result import BatchResult
from runner.batches.crew import Crew, local_crew
from runner.batches.ray_actors import RowActor
from runner.batches.ray_cluster import connected
from runner.batches.ray_limiter import RayLimiter
from runner.batches.row_worker import WorkerLost
from runner.batches.session_limiter import LocalLimiter
from runner.errors import EndpointUnreachable, RunnerError
from runner.redaction import excerpt
from runner.settings.batch_settings import BatchSettings
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runner.batches.batch_row import BatchRow
    from runner.batches.worker_process import WorkerTask

WAIT_S: Final = 600.0
"""How long a batch that has no worker waits for the cluster to give it one, in seconds."""
_AGAIN_S: Final = 1.0
_LONGEST_REASON: Final = 400
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_CAUSE: Final = re.compile(r"The actor (?:died|is dead) because (.*)")


@dataclass(eq=False)
class _Actor:
    """One actor, and how many rows it runs."""

    handle: Any
    running: int = 0


class RayWorkers:
    """Runs rows in actors of the cluster that this process is connected to; what dies is started anew elsewhere.

    Args:
        task: What the actors are told.
        count: How many there are.
        most_rows: How many rows one runs at once, at most: where others are gone, all of them.
        tasks: Where the actors are waited for.
    """

    def __init__(self, task: WorkerTask, count: int, most_rows: int, tasks: anyio.abc.TaskGroup) -> None:
        import ray

        self._ray = ray
        # At most once: no actor is started anew by Ray, and no call repeated.
        options = {"num_cpus": 1, "max_concurrency": most_rows + 1, "max_restarts": 0, "max_task_retries": 0}
        self._made = ray.remote(RowActor).options(**options, scheduling_strategy="SPREAD")
        self._task = ray.put(task)
        self._tasks = tasks
        self._ready: list[_Actor] = []
        self._starting: set[_Actor] = set()
        self._changed = anyio.Event()
        self._failure: RunnerError | None = None
        for _ in range(count):
            self._start()

    async def run(self, row: BatchRow) -> BatchResult:
        """Run one row in the actor that has the fewest.

        Raises:
            WorkerLost: The actor or its node has died; the row may have begun.
            EndpointUnreachable: The cluster has no place for an actor.
        """
        actor = await self._free()
        actor.running += 1
        try:
            return BatchResult.model_validate_json(await self._answer(actor, asdict(row), uuid4().hex))
        finally:
            actor.running -= 1

    async def wait_ready(self) -> None:
        """Wait for the first actor; raises as `run` does."""
        await self._free()

    def close(self) -> None:
        """End all actors."""
        for each in (*self._ready, *self._starting):
            with suppress(Exception):
                self._ray.kill(each.handle)

    async def _answer(self, actor: _Actor, row: dict[str, Any], attempt: str) -> bytes:
        """What an actor answers, which is asked again where only the way to it was lost."""
        errors = self._ray.exceptions
        while True:
            call = actor.handle.run.remote(row, attempt)
            try:
                line: bytes = await call
            except errors.ActorUnavailableError:
                await anyio.sleep(_AGAIN_S)
            except errors.RayActorError as error:
                self._bury(actor, error)
                msg = "the worker on the Ray cluster that ran it has died"
                raise WorkerLost(msg, hint="`batch.max_attempts` says whether such rows are tried again") from None
            except errors.RayError as error:
                msg = f"a worker on the Ray cluster has failed: {_reason(error)}"
                raise RunnerError(msg) from None
            except BaseException:
                self._ray.cancel(call)
                raise
            else:
                return line

    async def _free(self) -> _Actor:
        """The actor with the fewest rows, which may have to be waited for."""
        with anyio.move_on_after(WAIT_S):
            while not self._ready:
                if not self._starting:
                    raise self._failure or EndpointUnreachable("the Ray cluster runs no worker")
                await self._changed.wait()
            return min(self._ready, key=lambda each: each.running)
        free = self._ray.available_resources().get("CPU", 0)
        msg = f"the Ray cluster has started no worker within {WAIT_S:g} s"
        raise EndpointUnreachable(msg, hint=f"each takes one CPU, and {free:g} are free")

    def _start(self) -> None:
        actor = _Actor(self._made.remote(self._task))
        self._starting.add(actor)
        self._tasks.start_soon(self._await_ready, actor)

    async def _await_ready(self, actor: _Actor) -> None:
        try:
            problem: str = await actor.handle.settle.remote(str(Path.cwd()), __version__)
        except self._ray.exceptions.RayError as error:
            problem = _reason(error)
        self._starting.discard(actor)
        if problem:
            self._failure = EndpointUnreachable(f"a worker cannot run on the Ray cluster: {problem}", hint=_SAME)
            logs.logger().warning("ray_worker_failed", **self._failure.facts)
            with suppress(Exception):
                self._ray.kill(actor.handle)
        else:
            self._ready.append(actor)
        self._notify()

    def _bury(self, actor: _Actor, error: Exception) -> None:
        """Start another actor in place of one that has died; who finds out first does."""
        if actor in self._ready:
            self._ready.remove(actor)
            logs.logger().warning("ray_worker_lost", rows=actor.running, error=_reason(error))
            self._start()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


_SAME: Final = "the nodes need the same rt-run as this machine, with all that the profile needs"


@asynccontextmanager
async def ray_crew(task: WorkerTask, rows: int, *, address: str | None) -> AsyncIterator[Crew]:
    """Have workers on a Ray cluster: one a core, unless the profile says how many, and no more than rows at once.

    Args:
        task: What they are told.
        rows: How many rows there are.
        address: The cluster's, as `connected` takes it; without it, that of the environment.

    Raises:
        RunnerError: There is no cluster, or it runs no worker.
    """
    if not rows:
        async with local_crew(task, rows) as idle:
            yield idle
        return
    settings = task.loaded.profile.batch or BatchSettings()
    at_once = min(settings.concurrency, rows)
    async with connected(address or os.environ.get("RAY_ADDRESS") or None), body_task_group() as tasks:
        import ray

        cores = math.floor(ray.cluster_resources().get("CPU", 0))
        count = max(1, min(settings.workers or cores, at_once))
        logs.note("ray_connected", nodes=sum(each["Alive"] for each in ray.nodes()), cores=cores, workers=count)
        has_rates = settings.max_sessions_per_minute is not None or settings.max_tokens_per_minute is not None
        limiter = RayLimiter(task.loaded.name, settings) if has_rates else LocalLimiter(settings)
        workers = RayWorkers(task, count, at_once, tasks)
        try:
            await workers.wait_ready()
            yield Crew([workers], limiter)
        finally:
            if isinstance(limiter, RayLimiter):
                await limiter.aclose()
            tasks.cancel_scope.cancel()
            workers.close()


def _reason(error: BaseException) -> str:
    """Why an actor is gone, in Ray's words and on one line, without the ids before them."""
    text = " ".join(_COLOUR.sub("", str(error)).split())
    cause = _CAUSE.search(text)
    return excerpt((cause[1] if cause else text) or type(error).__name__, _LONGEST_REASON)
