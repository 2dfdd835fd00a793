"""One run of a profile: open, feed, wait for an end, drain, and say how it went in an exit code."""

import signal
import uuid
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.to_thread
import structlog

from runner import logs
from runner.errors import OutputError, RunnerError
from runner.lifecycle import notify
from runner.lifecycle.signals import watch
from runner.protocol.effects import ResponseEnded
from runner.protocol.state import SessionState
from runner.session.chat import Chat, at_terminal
from runner.session.engine import Session
from runner.session.inputs import feed
from runner.session.opening import open_session
from runner.session.outputs import OutputClosed, Sink, open_outputs, placeholders
from runner.session.update import Update
from runner.settings.run import StdinInput

if TYPE_CHECKING:
    from runner.profile.load import LoadedProfile

_START_S = 900.0
_FLUSH_LEAST_S = 5.0
_FAREWELL_SHARE = 0.25
_FAREWELL_MOST_S = 2.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    exit_code: int
    error: RunnerError | None
    """Why it failed, if it did."""


async def run_profile(loaded: "LoadedProfile") -> Outcome:
    """Run one profile to its end, which SIGTERM and SIGINT bring about."""
    run = _Run(loaded)
    return Outcome(await run.execute(), run.error)


class _Run:
    def __init__(self, loaded: "LoadedProfile") -> None:
        self.error: RunnerError | None = None
        self._loaded = loaded
        self._profile = loaded.profile
        self._run_id = uuid.uuid4().hex[:12]
        self._reason = ""
        self._stopping = anyio.Event()
        self._signal: signal.Signals | None = None
        self._forced_by: signal.Signals | None = None
        self._signalled_at_s: float | None = None
        self._living = anyio.CancelScope()
        self._flushing = anyio.CancelScope()
        self._session_over = False
        self._session: Session | None = None
        self._chat: Chat | None = None
        self._started_s = anyio.current_time()

    async def execute(self) -> int:
        structlog.contextvars.bind_contextvars(profile=self._loaded.name, run_id=self._run_id)
        notify.starting("connecting", within_s=_START_S)
        async with anyio.create_task_group() as tasks:
            await tasks.start(watch, self._take_signal)
            try:
                sinks = await self._outputs()
            except RunnerError as error:
                self._stop("failed", error)
            else:
                await self._with_outputs(sinks)
            tasks.cancel_scope.cancel()
        code = self._exit_code()
        self._sum_up(code)
        return code

    async def _outputs(self) -> list[Sink]:
        names = placeholders(self._loaded.name, self._run_id)
        with self._living:
            # Opening a named pipe waits for its reader.
            opening = partial(open_outputs, self._profile.outputs, names, self._fail)
            return await anyio.to_thread.run_sync(opening, abandon_on_cancel=True)
        return []

    async def _with_outputs(self, sinks: list[Sink]) -> None:
        async with anyio.create_task_group() as writers:
            for sink in sinks:
                writers.start_soon(sink.run)
            try:
                if not self._stopping.is_set():
                    await self._with_session(sinks)
            except RunnerError as error:
                self._stop("failed", error)
            finally:
                self._session_over = True
                for sink in sinks:
                    sink.close()
            with self._flushing:
                # What has come is written even where the grace period is over; only a second signal forgoes it.
                with anyio.move_on_after(max(self._profile.run.grace_s, _FLUSH_LEAST_S)):
                    for sink in sinks:
                        await sink.finished()
            late = ", ".join(sink.name for sink in sinks if not sink.is_finished)
            if late and self._forced_by is None:
                self.error = self.error or OutputError(f"not everything could be written in time to {late}")
            writers.cancel_scope.cancel()

    async def _with_session(self, sinks: list[Sink]) -> None:
        readers = [*(sink.take for sink in sinks), self._watch]
        with anyio.CancelScope() as self._living:
            async with open_session(self._profile, readers=readers, max_events_bytes=0) as session:
                await self._live(session, sinks)

    async def _live(self, session: Session, sinks: list[Sink]) -> None:
        self._session = session
        endpoint = self._profile.endpoint.kind
        logs.logger().info("session_opened", endpoint=endpoint, model=session.state.effective.get("model"))
        notify.ready(f"session {session.state.session_id} is open")
        async with anyio.create_task_group() as work:
            work.start_soon(self._until_ended, session)
            work.start_soon(self._feed, session, sinks)
            await self._stopping.wait()
            work.cancel_scope.cancel()
        await self._drain(session)

    async def _feed(self, session: Session, sinks: list[Sink]) -> None:
        try:
            if isinstance(self._profile.input, StdinInput) and self._profile.input.format == "text" and at_terminal():
                self._chat = Chat(session, lambda: _flushed(sinks))
                await self._chat.run()
                self._stop("user-left")
                return
            await feed(session, self._profile.input)
            await session.finished()
        except RunnerError as error:
            # What the session itself failed of is told by whoever waits for its end.
            if session.failure is None and not self._stopping.is_set():
                self._stop("input-failed", error)
        else:
            if self._profile.run.until != "signal":
                self._stop("input-end")

    def _watch(self, update: Update) -> None:
        answered = any(isinstance(each, ResponseEnded) for each in update.effects)
        if answered and self._profile.run.until == "response-done":
            self._stop("response-done")

    async def _until_ended(self, session: Session) -> None:
        await session.ended()
        self._stop("endpoint")

    async def _drain(self, session: Session) -> None:
        grace_s = self._profile.run.grace_s
        logs.logger().debug("session_draining", reason=self._reason)
        notify.stopping(f"draining: {self._reason}", within_s=grace_s + _FLUSH_LEAST_S)
        if session.failure is not None:
            raise session.failure
        farewell_s = min(_FAREWELL_MOST_S, grace_s * _FAREWELL_SHARE)
        cancel_at_s = (self._signalled_at_s or anyio.current_time()) + grace_s - farewell_s
        if not await _finished(session, by_s=cancel_at_s) and session.state.busy:
            logs.logger().warning("response_cancelled", reason=self._reason)
            await session.cancel()
            await _finished(session, by_s=cancel_at_s + farewell_s / 2)
        await session.close()

    def _take_signal(self, number: signal.Signals, tasks: anyio.abc.TaskGroup) -> None:
        if self._signal is not None:
            self._forced_by = number
            logs.logger().warning("forced", signal=number.name)
            self._flushing.cancel()
            tasks.start_soon(self._cut)
        elif number == signal.SIGINT and self._chat and self._chat.can_interrupt:
            tasks.start_soon(self._chat.interrupt)
        else:
            self._signal = number
            self._signalled_at_s = anyio.current_time()
            logs.logger().info("signal_received", signal=number.name)
            self._stop("signal")
            if self._session is None:
                self._living.cancel()
            else:
                tasks.start_soon(self._end_grace)

    async def _end_grace(self) -> None:
        await anyio.sleep(self._profile.run.grace_s)
        if not self._session_over:
            self._forced_by = self._signal
            logs.logger().warning("grace_expired", grace_s=self._profile.run.grace_s)
            await self._cut()

    async def _cut(self) -> None:
        """End the session now, whatever is being sent or waited for."""
        self._living.cancel()
        if self._session is not None:
            await self._session.abort()

    def _fail(self, error: RunnerError) -> None:
        if isinstance(error, OutputClosed):
            self._stop("output-closed")
        else:
            self._stop("output-failed", error)

    def _stop(self, reason: str, error: RunnerError | None = None) -> None:
        self.error = self.error or error
        self._reason = self._reason or reason
        self._stopping.set()
        if self._session is not None:
            self._session.draining = True

    def _exit_code(self) -> int:
        if self._forced_by is not None:
            return 128 + self._forced_by
        if self.error is None and self._reason in {"input-end", "response-done"} and self._session is not None:
            self.error = self._session.pump.first_unanswered
        if self.error is not None:
            return self.error.exit_code
        return 0 if self._signal in {None, signal.SIGTERM} else 128 + self._signal

    def _sum_up(self, code: int) -> None:
        notify.status(logs.redact(f"ended: {self.error.message if self.error else self._reason}"))
        state = self._session.state if self._session else SessionState()
        failure = {"error": self.error.message, "code": self.error.code} if self.error else {}
        logs.logger().info(
            "session_closed",
            session_id=state.session_id,
            reason=self._reason,
            exit_code=code,
            duration_s=round(anyio.current_time() - self._started_s, 3),
            responses=state.usage.responses,
            input_tokens=state.usage.input_tokens,
            output_tokens=state.usage.output_tokens,
            cached_tokens=state.usage.cached_tokens,
            **{key: text for key, text in failure.items() if text},
        )


async def _finished(session: Session, *, by_s: float) -> bool:
    with anyio.CancelScope(deadline=by_s):
        await session.finished()
    return not session.state.pending


async def _flushed(sinks: list[Sink]) -> None:
    for sink in sinks:
        await sink.flushed()
