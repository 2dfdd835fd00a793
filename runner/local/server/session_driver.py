"""The driver of one session: it moves events between the session and its client, and has the slow work done."""

import math
from collections import defaultdict, deque
from collections.abc import Callable
from functools import partial
from typing import Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from anyio.to_thread import run_sync

from runner import logs
from runner.local.server.asgi import Receive, Send
from runner.local.server.event_sender import EventSender
from runner.local.server.faulty_stream import FaultyStream
from runner.local.session.fault_plan import ConnectionFaults
from runner.local.session.jobs import Engine, Job, ModelJob, Settle
from runner.local.session.local_session import LocalSession
from runner.local.session.server_event import ServerEvent
from runner.local.speech.language_model import LanguageModel, NoAnswer
from runner.local.speech.replies import Call

_THREADS: Final = 4
_FAREWELL_S: Final = 1.0


class Workers:
    """The worker threads that the sessions of an application share; it must be made within an event loop."""

    def __init__(self) -> None:
        self._limiters: dict[Engine, anyio.CapacityLimiter] = {
            "detector": anyio.CapacityLimiter(_THREADS),
            "voice": anyio.CapacityLimiter(_THREADS),
            "transcriber": anyio.CapacityLimiter(1),
        }

    async def do(self, job: Job) -> Settle:
        """Do a job in a thread; a caller that is cancelled does not wait for it."""
        return await run_sync(job.work, abandon_on_cancel=True, limiter=self._limiters[job.engine])


class SessionDriver:
    """Moves one session's events, in the order in which the session has made them.

    Args:
        session: The session.
        receive: ASGI's `receive`.
        send: ASGI's `send`.
        workers: The threads that do the session's jobs.
        language_model: The model that writes the session's answers, where there is one; the driver closes it.
        faults: The faults that are planned for the connection.
        stream: The connection's byte stream, where the server hands it over.
        interval_ms: The time between two calls of the session's `advance`, in milliseconds.
        limit_s: How long the session may last, in seconds.
    """

    def __init__(
        self,
        session: LocalSession,
        receive: Receive,
        send: Send,
        *,
        workers: Workers,
        language_model: LanguageModel | None,
        faults: ConnectionFaults,
        stream: FaultyStream | None,
        interval_ms: float,
        limit_s: float,
    ) -> None:
        self._session = session
        self._receive = receive
        self._workers = workers
        self._language_model = language_model
        self._tasks = anyio.create_task_group()
        self._sender = EventSender(session, faults, stream, send, self._end)
        self._interval_ms = interval_ms
        self._limit_s = limit_s
        self._emitting = anyio.Lock()
        self._can_advance = anyio.Event()
        self._caught_up = anyio.Event()
        self._jobs: defaultdict[Engine, deque[Job]] = defaultdict(deque)
        self._busy_engines: set[Engine] = set()
        self._model_jobs: list[tuple[ModelJob, anyio.CancelScope]] = []

    async def run(self) -> None:
        """Drive the session until the client leaves, its time is over, or a fault ends the connection."""
        try:
            async with self._tasks:
                self._tasks.start_soon(self._expire)
                self._tasks.start_soon(self._advance)
                if self._session.tick_s is not None:
                    self._tasks.start_soon(self._tick, self._session.tick_s)
                await self._sender.open()
                self._tasks.start_soon(self._sender.watch_clock)
                await self._read()
                self._end()
        except* (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            # ASGI prescribes OSError for a client that has left; the stream raises anyio's errors.
            logs.logger().info("client_lost")
        finally:
            if self._language_model is not None:
                with anyio.move_on_after(_FAREWELL_S, shield=True):
                    await self._language_model.aclose()

    def _end(self) -> None:
        self._tasks.cancel_scope.cancel()

    async def _read(self) -> None:
        await self._emit(self._session.open)
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            text, data = message.get("text"), message.get("bytes")
            content: str | bytes = text if text is not None else data or b""
            await self._emit(partial(self._session.receive, content))
            while self._session.is_behind:
                self._caught_up = anyio.Event()
                await self._caught_up.wait()

    async def _advance(self) -> None:
        while True:
            await self._can_advance.wait()
            self._can_advance = anyio.Event()
            while self._session.can_advance:
                await anyio.sleep(self._interval_ms / 1000)
                await self._emit(self._session.advance)

    async def _tick(self, interval_s: float) -> None:
        while True:
            await anyio.sleep(interval_s)
            await self._emit(self._session.tick)

    async def _expire(self) -> None:
        await anyio.sleep(self._limit_s)
        minutes = f"{self._limit_s / 60:.3g}"
        reason = f"Your session hit the maximum duration of {minutes} minute{'' if minutes == '1' else 's'}."
        await self._emit(partial(self._session.expire, reason))
        await self._sender.close(1001, reason)

    def _start_jobs(self, jobs: list[Job | ModelJob]) -> None:
        for job in jobs:
            if isinstance(job, ModelJob):
                self._tasks.start_soon(self._ask, job)
                continue
            self._jobs[job.engine].append(job)
            if job.engine not in self._busy_engines:
                self._busy_engines.add(job.engine)
                self._tasks.start_soon(self._run_jobs, job.engine)

    async def _run_jobs(self, engine: Engine) -> None:
        """Do the jobs of an engine in the order in which they have come up."""
        jobs = self._jobs[engine]
        while jobs:
            await self._emit(await self._workers.do(jobs.popleft()))
        self._busy_engines.remove(engine)

    async def _ask(self, job: ModelJob) -> None:
        """Have the language model answer, until it has or nobody needs the answer any more."""
        assert self._language_model is not None  # noqa: S101  # for the type checker: the session asks it
        written, unread = anyio.create_memory_object_stream[str | Call](math.inf)
        async with anyio.create_task_group() as tasks:
            running = (job, tasks.cancel_scope)
            self._model_jobs.append(running)
            tasks.start_soon(self._take, job, unread)
            try:
                with written:
                    finish_reason = await self._language_model.answer(job.request, written.send_nowait)
                outcome = partial(job.end, finish_reason)
            except NoAnswer as error:
                outcome = partial(job.fail, error)
            finally:
                self._model_jobs.remove(running)
        if not tasks.cancel_scope.cancel_called:
            await self._emit(outcome)

    async def _take(self, job: ModelJob, unread: MemoryObjectReceiveStream[str | Call]) -> None:
        with unread:
            async for part in unread:
                await self._emit(partial(job.take, part))

    async def _emit(self, produce: Callable[[], list[ServerEvent]]) -> None:
        async with self._emitting:
            events = produce()
            # The jobs start before the events are sent, since a client may be slow to read.
            self._start_jobs(self._session.take_jobs())
            for each in events:
                await self._sender.send(each)
            if self._session.is_over:
                await self._sender.close(1000, "")
            # Within the lock, so that no answer is cut while its events are being sent.
            for job, scope in self._model_jobs:
                if job.is_over():
                    scope.cancel()
        self._caught_up.set()
        if self._session.can_advance:
            self._can_advance.set()
