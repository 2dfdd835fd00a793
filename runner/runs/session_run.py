"""One run of a profile: open, feed, wait for an end, drain, and say how it went in an exit code."""

import signal
import uuid
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc

from runner import logs
from runner.errors import OutputError, RunnerError
from runner.inputs.factory import make_input
from runner.outputs.opener import open_outputs, placeholders
from runner.outputs.outputs import Outputs
from runner.outputs.writer import OutputClosed
from runner.protocol.effects import ResponseEnded
from runner.protocol.session_update import session_update
from runner.redaction import redact
from runner.runs.budget import Budget
from runner.runs.drain import drain
from runner.runs.notices import Report, RunPhase
from runner.runs.outcome import Outcome
from runner.runs.shared import Shared
from runner.runs.summary import sum_up
from runner.session.opening import kept_session
from runner.session.session import Session
from runner.session.update import Update

if TYPE_CHECKING:
    from runner.outputs.playback import Playback
    from runner.profile.load import LoadedProfile

FLUSH_LEAST_S = 5.0
"""What has come may take at least this long to be written, however short the grace period, in seconds."""


class SessionRun:
    """One session of a profile, from its opening to its exit code; nothing that becomes of it reaches another run.

    Args:
        loaded: The profile.
        number: Which of the process's runs it is, from 1.
        shared: What it shares with the others.
        report: Told of its phases.

    Attributes:
        context: What every line of its log says.
    """

    def __init__(self, loaded: "LoadedProfile", number: int, shared: Shared, report: Report) -> None:
        run_id = uuid.uuid4().hex[:12]
        self.context: dict[str, Any] = {"profile": loaded.name, "run_id": run_id}
        if shared.runs > 1:
            self.context["session"] = number
        self._names = placeholders(loaded.name, run_id, number)
        self._profile = loaded.profile
        self._shared = shared
        self._report = report
        self._phase: RunPhase = "connecting"
        self._error: RunnerError | None = None
        self._reason = ""
        self._stopping = anyio.Event()
        self._signal: signal.Signals | None = None
        self._forced_by: signal.Signals | None = None
        self._signalled_at_s: float | None = None
        self._living = anyio.CancelScope()
        self._flushing = anyio.CancelScope()
        self._session_over = False
        self._session: Session | None = None
        self._playback: Playback | None = None
        self._answered = anyio.Event()
        self._source = make_input(loaded.profile, shared.stdin, is_alone=shared.runs == 1)
        self._budget = Budget(loaded.profile.run.limits, spent=self.stop)
        self._tasks: anyio.abc.TaskGroup

    async def execute(self) -> Outcome:
        """Run to the end, which `drain`, `stop`, the input, the endpoint or the profile bring about."""
        logs.bind(**self.context)
        started_s = anyio.current_time()
        try:
            async with anyio.create_task_group() as self._tasks:
                await self._serve()
                self._tasks.cancel_scope.cancel()
        except Exception:  # noqa: BLE001  # whatever it is, it is ours, and no other run shall suffer from it
            logs.logger().exception("internal_error")
            self.stop("internal-error", RunnerError("a fault of rt-run itself, which the log traces"))
        finally:
            self._source.close()
        code = self._exit_code()
        if self._error:
            # It may be reported long after its secrets are forgotten.
            self._error.reword(redact)
        self._enter("ended", f"ended: {self._error.message if self._error else self._reason}")
        sum_up(
            self._session,
            self._profile.run.limits,
            reason=self._reason,
            code=code,
            error=self._error,
            duration_s=anyio.current_time() - started_s,
        )
        return Outcome(self.context["profile"], code, self._error, self._forced_by is not None)

    def drain(self, number: signal.Signals) -> None:
        """End because of a signal: what is in flight may finish within the grace period."""
        self._signal = number
        self._signalled_at_s = anyio.current_time()
        self.stop("signal")
        if self._session is None:
            self._living.cancel()
        elif not self._session_over:
            self._tasks.start_soon(self._end_grace, number)

    def stop(self, reason: str, error: RunnerError | None = None) -> None:
        """End once what is in flight has finished; of several reasons and errors the first counts."""
        self._error = self._error or error
        self._reason = self._reason or reason
        self._stopping.set()
        if self._session is not None:
            self._session.drain()

    def force(self, number: signal.Signals) -> None:
        """End now, whatever is being sent, waited for or written."""
        self._flushing.cancel()
        self._cut(number)

    def interrupt(self) -> bool:
        """Cancel the answer in flight of a chat; False says that there is none."""
        if self._source.can_interrupt:
            self._tasks.start_soon(self._source.interrupt)
            return True
        return False

    async def _serve(self) -> None:
        outlets = Outputs([])
        try:
            with self._living:
                async with self._shared.opening:
                    asked = session_update(self._profile)["session"]
                    await self._source.open(asked)
                    outlets = await open_outputs(
                        self._profile, self._names, self._fail, self._shared.stdout, asked=asked
                    )
        except RunnerError as error:
            self.stop("failed", error)
        else:
            await self._with_outlets(outlets)

    async def _with_outlets(self, outlets: Outputs) -> None:
        async with anyio.create_task_group() as writers:
            outlets.start(writers)
            try:
                if not self._stopping.is_set():
                    await self._with_session(outlets)
            except RunnerError as error:
                self.stop("failed", error)
            finally:
                self._session_over = True
                if outlets.journal:
                    outlets.journal.note({"type": "session.ended", "reason": self._reason}, epoch=0)
                outlets.close()
            # What has come is written even where the grace period is over; only a second signal forgoes it.
            await outlets.written(self._flushing, within_s=max(self._profile.run.grace_s, FLUSH_LEAST_S))
            if (late := outlets.unfinished) and self._forced_by is None:
                self._error = self._error or OutputError(f"not everything could be written in time to {late}")
            writers.cancel_scope.cancel()

    async def _with_session(self, outlets: Outputs) -> None:
        readers = [*outlets.readers, self._watch]
        if self._profile.run.limits.model_fields_set - {"prices"}:
            readers.append(self._budget.take)
        with anyio.CancelScope() as self._living:
            if outlets.journal:
                outlets.journal.note({"type": "session.started", **self.context}, epoch=0)
            recorder, slots = outlets.journal, self._shared.connecting
            async with kept_session(self._profile, readers=readers, recorder=recorder, slots=slots) as session:
                await self._live(session, outlets)

    async def _live(self, session: Session, outlets: Outputs) -> None:
        self._session = session
        self._playback = outlets.playback
        outlets.begin(session)
        endpoint = self._profile.endpoint.kind
        logs.logger().info("session_opened", endpoint=endpoint, model=session.state.effective.get("model"))
        self._enter("open", f"session {session.id} is open")
        async with anyio.create_task_group() as work:
            work.start_soon(self._until_ended, session)
            work.start_soon(self._feed, session, outlets)
            work.start_soon(self._until_answered)
            work.start_soon(self._budget.watch, session.usage)
            await self._stopping.wait()
            work.cancel_scope.cancel()
        await self._drain(session)

    async def _feed(self, session: Session, outlets: Outputs) -> None:
        try:
            reason = await self._source.feed(session, outlets.flushed, outlets.playback)
            if reason == "user-left" or self._profile.run.until != "signal":
                # What was said last to a translation is still to be interpreted, and what was answered to be heard.
                await session.conclude()
                if reason == "input-end" and outlets.playback:
                    await outlets.playback.finished()
                self.stop(reason)
        except RunnerError as error:
            # What the session itself failed of is told by whoever waits for its end.
            if session.failure is None and not self._stopping.is_set():
                self.stop("input-failed", error)

    def _watch(self, update: Update) -> None:
        answered = any(isinstance(each, ResponseEnded) for each in update.effects)
        if answered and self._profile.run.until == "response-done":
            self._answered.set()
            if self._session is not None and self._playback:
                # It is still to be heard.
                self._session.drain()
            else:
                self.stop("response-done")

    async def _until_answered(self) -> None:
        await self._answered.wait()
        if self._playback:
            await self._playback.finished()
        self.stop("response-done")

    async def _until_ended(self, session: Session) -> None:
        await session.wait_over()
        self.stop("endpoint")

    async def _drain(self, session: Session) -> None:
        logs.logger().debug("session_draining", reason=self._reason)
        self._enter("draining", f"draining: {self._reason}")
        self._source.close()
        since_s = self._signalled_at_s or anyio.current_time()
        until_s = since_s + self._profile.run.grace_s
        await drain(session, reason=self._reason, until_s=until_s, playback=self._playback)

    async def _end_grace(self, number: signal.Signals) -> None:
        await anyio.sleep(self._profile.run.grace_s)
        if not self._session_over:
            logs.logger().warning("grace_expired", grace_s=self._profile.run.grace_s)
            self._cut(number)

    def _cut(self, number: signal.Signals) -> None:
        self._forced_by = number
        self._living.cancel()
        if self._session is not None and not self._session_over:
            self._tasks.start_soon(self._session.abort)

    def _fail(self, error: RunnerError) -> None:
        if isinstance(error, OutputClosed):
            self.stop("output-closed")
        else:
            self.stop("output-failed", error)

    def _enter(self, phase: RunPhase, text: str) -> None:
        left, self._phase = self._phase, phase
        self._report(left, phase, text)

    def _exit_code(self) -> int:
        if self._forced_by is not None:
            return 128 + self._forced_by
        if self._error is None and self._reason in {"input-end", "response-done"} and self._session is not None:
            self._error = self._session.first_unanswered
        if self._error is not None:
            return self._error.exit_code
        return 0 if self._signal in {None, signal.SIGTERM} else 128 + self._signal
