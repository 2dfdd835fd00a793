"""One run of a profile: it opens a session, feeds and drains it, and ends with an exit code."""

import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc

from runner import logs
from runner.errors import RunnerError
from runner.outputs.opener import open_outputs, placeholders
from runner.outputs.outputs import Outputs
from runner.outputs.writer import OutputClosed
from runner.profile.filling import filled, path_values
from runner.profile.session_source import SessionProfile
from runner.protocol.session_update import session_update
from runner.runs.drain import drain
from runner.runs.early_end import EarlyEnd
from runner.runs.life_cycle import LifeCycle, Phase, Report
from runner.runs.losses import judged, losses
from runner.runs.outcome import Outcome
from runner.runs.run_facts import facts_of, reporter_of
from runner.runs.shared import Shared
from runner.runs.status_line import status_line
from runner.runs.summary import sum_up
from runner.runs.whereabouts import Whereabouts
from runner.session.opening import kept_session
from runner.session.recorder import Recorder
from runner.session.session import Session
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    from runner.profile.load import LoadedProfile
    from runner.session.pump import Reader
    from runner.settings.profile import Profile


class SessionRun:
    """One session of a profile, from its opening to its exit code; its failure reaches no other run.

    Args:
        loaded: The profile.
        number: Which of the process's runs it is, from 1.
        shared: What the runs of the process have in common.
        report: Called with every change of its phase.

    Attributes:
        number: As above.
        context: The keys that every line of its log has, that of its session from its opening on.
        names: The values that paths may contain.
        profile: What it runs by.
        session: Its session, None before it is open.
        whereabouts: Where its session is.
        readers: Called with each update, before its outputs; they are added before it begins, and must not wait.
        input: What goes in.
        outputs: What comes out.
        started: When it began, by the clock on the wall.
        started_s: The same on the event loop's clock, in seconds.
    """

    def __init__(self, loaded: "LoadedProfile", number: int, shared: Shared, report: Report) -> None:
        run_id = uuid.uuid4().hex[:12]
        self.number = number
        self.context: dict[str, Any] = {"profile": loaded.name, "run_id": run_id}
        if shared.runs > 1:
            self.context["session"] = number
        self.started = started = datetime.now(UTC)
        self.profile = filled(loaded.profile, name=loaded.name, started=started)
        known = placeholders(loaded.name, run_id, number, row=shared.row, started=started)
        self.names = {**path_values(self.profile), **known}
        self._fallbacks = loaded.fallbacks
        self._shared = shared
        self._life = LifeCycle(grace_s=loaded.profile.run.grace_s, report=report)
        self._error: RunnerError | None = None
        self._reason = ""
        self._unwritten = ""
        """The outputs that have not written in time all that they had taken."""
        self.input = shared.input_of(loaded.profile, save_as="{profile}-{started}.md".format_map(self.names))
        self.outputs = Outputs([])
        self._reporter = reporter_of(self.profile, self.names, self.context)
        self.session: Session | None = None
        self.whereabouts = Whereabouts()
        self.readers: list[Reader] = []
        self.started_s = anyio.current_time()
        self._early_end = EarlyEnd(self.profile.run, stop=self.stop, answered=self._refuse_questions)
        self._tasks: anyio.abc.TaskGroup

    async def execute(self) -> Outcome:
        """Run to the end, which `drain`, `stop`, the input, the endpoint or the profile bring about."""
        logs.bind(**self.context)
        try:
            async with anyio.create_task_group() as self._tasks:
                await self._serve()
                self._tasks.cancel_scope.cancel()
        except Exception:  # noqa: BLE001  # whatever it is, it is ours, and no other run shall suffer from it
            logs.logger().exception("internal_error")
            self.stop("internal-error", RunnerError("a bug in rt-run, which the log traces"))
        finally:
            self.input.close()
            self._early_end.leave()
        lost = losses(self.session, self.profile, unwritten=self._unwritten, keeps_words=self._shared.keeps_words)
        self._error = judged(lost, self._error, self._reason)
        code = await self._reported(self._life.exit_code(self._error))
        self._life.enter(Phase.ENDED)
        if self.session is not None:
            duration_s, error = anyio.current_time() - self.started_s, self._error
            sum_up(self.session, reason=self._reason, code=code, error=error, duration_s=duration_s)
            if self._shared.face:
                self._shared.face.close(self.session, duration_s=duration_s, error=error)
        is_forced = self._life.forced_by is not None
        if self._reporter:
            await self._reporter.deliver(within_s=0 if is_forced else self._flush_s)
        name, run_id, session_id = (self.context.get(key, "") for key in ("profile", "run_id", "session_id"))
        return Outcome(name, code, self._error, is_forced, run_id, session_id, self._reason)

    @property
    def phase(self) -> str:
        """Its phase, in small letters."""
        return self._life.phase.name.lower()

    @property
    def status(self) -> str:
        """What it is doing, in one line."""
        reason = self._error.message if self._error and self._life.phase is Phase.ENDED else self._reason
        return status_line(self._life.phase, self.whereabouts, self.session, self.profile.run, reason)

    def adopt(self, profile: "Profile") -> None:
        """Go by another profile from now on, which its session goes by already."""
        self.profile, self._life.grace_s = profile, profile.run.grace_s
        if self.session is not None:
            self._early_end.limit(self._tasks, self.session, profile.run.limits, since_s=self.started_s)

    def drain(self, number: signal.Signals) -> None:
        """End because of a signal: what is in flight may finish within the grace period."""
        self._life.begin_grace(number)
        self.stop("signal")

    def stop(self, reason: str, error: RunnerError | None = None) -> None:
        """End once what is in flight has finished; of several reasons and errors the first counts."""
        self._error = self._error or error
        self._reason = self._reason or reason
        self._refuse_questions()
        self._life.stop()

    def force(self, number: signal.Signals) -> None:
        """End now, whatever is being sent, waited for or written."""
        self._life.force(number)
        if self._reporter:
            self._reporter.leave()

    def interrupt(self) -> bool:
        """Cancel the answer in flight of a chat; False says that there is none."""
        if self.input.can_interrupt:
            self._tasks.start_soon(self.input.interrupt)
            return True
        return False

    async def _serve(self) -> None:
        try:
            with self._life.enter(Phase.OPENING):
                async with self._shared.opening:
                    asked = session_update(self.profile)["session"]
                    await self.input.open(asked)
                    if self._reporter:
                        await self._reporter.open()
                    stdout = self._shared.stdout
                    self.outputs = await open_outputs(self.profile, self.names, self._fail, stdout, asked=asked)
                if self._reporter:
                    self._reporter.journal = self.outputs.journal
                    self._tasks.start_soon(self._reporter.deliver_waiting)
                self.outputs.start(self._tasks)
                await self._with_session(asked)
        except RunnerError as error:
            self.stop("failed", error)
        finally:
            flushing = self._life.enter(Phase.FLUSHING)
            self._note("session.ended", reason=self._reason)
            self.outputs.close()
        await self._flush(flushing)

    async def _with_session(self, asked: dict[str, Any]) -> None:
        self._note("session.started", **self.context, **facts_of(self.profile, self.names))
        async with kept_session(
            SessionProfile(self.profile, self.context["profile"], self._fallbacks, asked),
            readers=[*self.readers, *self.outputs.readers, self._early_end.take],
            recorder=self._recorder,
            slots=self._shared.connecting,
            moved=self.whereabouts.take,
            opened=self._begin,
            ended=self.stop,
            sources=self._shared.sources,
            servers=self._shared.servers,
            state=self._shared.state_of(self.profile, self.names),
            failed=self._fail,
        ) as session:
            self.session = session
            self.context["session_id"] = session.id
            with logs.bound(session_id=session.id):
                await self._live(session)
                await self._drain(session)

    def _begin(self, session: Session) -> None:
        self.outputs.begin(session)
        self._early_end.begin(session)

    async def _live(self, session: Session) -> None:
        model = session.state.effective.get("model")
        logs.logger().info("session_opened", **self.whereabouts.told(self.profile), model=model)
        with self._life.enter(Phase.LIVE) as live, self.whereabouts.telling_of_end(self.stop):
            async with self._watched(session):
                await self._feed(session)
                if not live.cancel_called:
                    await anyio.sleep_forever()

    @asynccontextmanager
    async def _watched(self, session: Session) -> AsyncIterator[None]:
        """Have the session's limits hold, and its live line drawn, where it has them."""
        limits, face = self.profile.run.limits, self._shared.face
        if not (face or self._early_end.watches(limits)):
            yield
            return
        async with body_task_group() as work:
            self._early_end.watch(work, session, limits, self.outputs.playback)
            if face:
                from runner.runs.live_line import LiveLine

                line = LiveLine(face.screen, session, self.input, self.outputs.playback)
                work.start_soon(line.run)
            yield

    async def _feed(self, session: Session) -> None:
        playback = self.outputs.playback
        try:
            reason = await self.input.feed(session, self.outputs.flushed, playback)
            if reason == "user-left" or self.profile.run.until != "signal":
                # The endpoint still interprets what was said last to a translation, and the user hears the answers.
                await session.conclude()
                if reason == "input-end" and playback:
                    await playback.finished()
                self.stop("hung-up" if session.tools and session.tools.has_hung_up else reason)
        except RunnerError as error:
            # The session's own failure is reported by `_drain`, and a question that came too late is no failure.
            if session.failure is None and not self._reason and not self._early_end.is_answered:
                self.stop("input-failed", error)

    def _refuse_questions(self) -> None:
        if self.session is not None:
            self.session.drain()

    async def _drain(self, session: Session) -> None:
        logs.logger().debug("session_draining", reason=self._reason)
        with self._life.enter(Phase.DRAINING) as draining:
            self.input.close()
            until_s = self._life.grace_ends_s
            await drain(session, reason=self._reason, until_s=until_s, playback=self.outputs.playback)
        if draining.cancelled_caught:
            if self._life.forced_by is None:
                logs.logger().warning("grace_expired", grace_s=self.profile.run.grace_s)
                self._life.expire()
            await session.abort()

    async def _flush(self, flushing: anyio.CancelScope) -> None:
        """Write what has come, also where the grace period is over; only a second signal forgoes it."""
        await self.outputs.written(flushing, within_s=self._flush_s)
        self._unwritten = self.outputs.unfinished if self._life.forced_by is None else ""

    def _note(self, kind: str, **details: Any) -> None:
        if self._recorder:
            self._recorder.note({"type": kind, **details}, epoch=0)

    @property
    def _flush_s(self) -> float:
        return max(self.profile.run.grace_s, self._shared.flush_least_s)

    @property
    def _recorder(self) -> Recorder | None:
        return self._reporter or self.outputs.journal

    async def _reported(self, code: int) -> int:
        """Write the report; returns the exit code, which fails where nothing else has and it cannot be written."""
        if self._reporter is None:
            return code
        error = await self._reporter.write(self.session, self._reason, code, self._error, within_s=self._flush_s)
        self._error = self._error or error
        return code or (error.exit_code if error else 0)

    def _fail(self, error: RunnerError) -> None:
        if isinstance(error, OutputClosed):
            self.stop("output-closed")
        else:
            self.stop("output-failed", error)
