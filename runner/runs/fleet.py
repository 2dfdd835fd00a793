"""The runs of a process: one signal drains all of them, and each has an end of its own."""

import signal
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any

import anyio

from runner import logs
from runner.errors import IllegalEvent
from runner.inputs.broadcast import Broadcast
from runner.inputs.stdin import STDIN
from runner.outputs.standard_output import StandardOutput
from runner.runs.face import Face
from runner.runs.notices import Notices
from runner.runs.outcome import Outcome
from runner.runs.reload_requests import ReloadRequests
from runner.runs.session_run import SessionRun
from runner.runs.shared import Shared
from runner.runs.signals import has_terminal, watch
from runner.settings.input import StdinInput
from runner.tools.shared_servers import SharedServers

if TYPE_CHECKING:
    from runner.profile.load import LoadedProfile
    from runner.runs.reload import Reload, Reread
    from runner.settings.profile import Profile

FLUSH_LEAST_S = 5.0
"""How long the outputs may at least take to write what has come, however short the grace period, in seconds."""
OPENING_AT_ONCE = 50
"""So many sessions are opened at a time: enough to hide a round trip behind the handshakes of the others, and few
enough that each is answered well within its timeout and no endpoint takes it for an attack."""


Companion = Callable[["Fleet"], AbstractAsyncContextManager[None]]
"""Makes what is there for as long as the runs are, such as the control socket."""


async def run_profiles(
    profiles: "Sequence[LoadedProfile]",
    *,
    face: Face | None = None,
    companions: Sequence[Companion] = (),
    reread: "Reread | None" = None,
    log_by: "Callable[[Profile], None]" = lambda _: None,
    flush_least_s: float = FLUSH_LEAST_S,
    is_fresh: bool = False,
) -> list[Outcome]:
    """Run all sessions of these profiles to their ends, which SIGTERM and SIGINT bring about.

    Args:
        profiles: At least one; each has `run.sessions` sessions.
        face: What somebody at the terminal sees of the only run there is.
        reread: Reads the profiles again, for a reload; None where they are in no files.
        log_by: Called with the profile by which the process logs after a reload.
        companions: Entered before the first session is opened, and left after the last has ended.
        flush_least_s: How long the outputs may at least take to write what has come, in seconds.
        is_fresh: Whether sessions begin anew though earlier processes have left some.

    Raises:
        RunnerError: A companion cannot be had.

    Returns:
        How each session ended, in the order of their ends.
    """
    fleet = Fleet(profiles, face, flush_least_s, is_fresh=is_fresh)
    if reread:
        fleet.reload_by(reread, log_by)
    async with AsyncExitStack() as stack:
        if face:
            await stack.enter_async_context(face)
        for companion in companions:
            await stack.enter_async_context(companion(fleet))
        await fleet.execute()
    return fleet.outcomes


class Fleet:
    """The runs of a process.

    Args:
        profiles: At least one; each has `run.sessions` sessions.
        face: What somebody at the terminal sees of the only run there is.
        flush_least_s: How long the outputs may at least take to write what has come, in seconds.
        is_fresh: Whether sessions begin anew though earlier processes have left some.

    Attributes:
        runs: All of them, in the order of their numbers.
        outcomes: How those ended that have ended, in the order of their ends.
        reloads: What carries reloads out.
    """

    def __init__(
        self,
        profiles: "Sequence[LoadedProfile]",
        face: Face | None,
        flush_least_s: float,
        *,
        is_fresh: bool = False,
    ) -> None:
        self._places = [place for place, each in enumerate(profiles) for _ in range(each.profile.run.sessions)]
        """For each run, the place of its profile."""
        each_run = [profiles[place] for place in self._places]
        inputs = [loaded.profile.input for loaded in profiles]
        line_bytes = [each.max_line_bytes for each in inputs if isinstance(each, StdinInput)]
        grace_s = max(loaded.profile.run.grace_s for loaded in profiles)
        self.outcomes: list[Outcome] = []
        self.reloads = ReloadRequests(self._carry_out_reload)
        self._profiles = profiles
        self._servers = SharedServers()
        self._signal: signal.Signals | None = None
        self._reload: Reload | None = None
        self._reread: Reread | None = None
        self._log_by: Callable[[Profile], None] = lambda _: None
        self._reloads_on_hangup = False
        is_audio = any(isinstance(each, StdinInput) and each.format == "audio" for each in inputs)
        self._stdin = Broadcast(STDIN, max_line_bytes=max(line_bytes, default=0), is_audio=is_audio)
        shared = Shared(
            runs=len(each_run),
            stdin=self._stdin,
            stdout=StandardOutput(
                is_shared=len(each_run) > 1,
                profiles=[loaded.name for loaded in each_run],
                shows_words=face is not None and face.shows_words,
            ),
            opening=anyio.Semaphore(OPENING_AT_ONCE),
            connecting=anyio.Semaphore(OPENING_AT_ONCE),
            flush_least_s=flush_least_s,
            is_fresh=is_fresh,
            face=face,
            servers=self._servers,
        )
        self.runs: list[SessionRun] = []
        self._notices = Notices(self.runs, within_s=grace_s + flush_least_s)
        self.runs += [
            SessionRun(loaded, number, shared, self._notices.note) for number, loaded in enumerate(each_run, 1)
        ]

    def reload_by(self, reread: "Reread", log_by: "Callable[[Profile], None]") -> None:
        """Let the profiles be reloaded: by `reload`, and by SIGHUP where nothing else is meant by that.

        Args:
            reread: Reads the profiles again.
            log_by: Called with the profile by which the process logs then.
        """
        self._reread, self._log_by, self._reload = reread, log_by, None
        lives = all(run.profile.run.until == "signal" for run in self.runs)
        self._reloads_on_hangup = lives and not has_terminal()

    async def reload(self) -> dict[str, Any]:
        """Have the sessions go by their profiles as these are by now; returns what has changed.

        Raises:
            RunnerError: It cannot be; the sessions go on as before.
        """
        return await self.reloads.answered()

    async def _carry_out_reload(self) -> dict[str, Any]:
        if self._reread is None:
            msg = "the profiles of this process are in no files"
            raise IllegalEvent(msg)
        from runner.runs.reload import Reload

        self._reload = self._reload or Reload(self.runs, self._places, self._reread, self._log_by)
        self._notices.reloading()
        try:
            with logs.bound(**(self.runs[0].context if self._is_one else {})):
                return await self._reload.carry_out()
        finally:
            self._notices.reloaded()

    async def execute(self) -> None:
        """Run all of them to their ends."""
        if self._is_one:
            logs.bind(**self.runs[0].context)
        else:
            from runner.runs import open_files

            open_files.allow(self._profiles)
        self._notices.start()
        async with anyio.create_task_group() as tasks:
            await tasks.start(watch, self._take_signal)
            tasks.start_soon(self._stdin.run)
            tasks.start_soon(self._notices.run)
            tasks.start_soon(self.reloads.run)
            async with self._servers.open(), anyio.create_task_group() as runs:
                for run in self.runs:
                    runs.start_soon(self._execute, run)
            tasks.cancel_scope.cancel()
        if not self._is_one:
            self._sum_up()

    @property
    def _is_one(self) -> bool:
        return len(self.runs) == 1

    async def _execute(self, run: SessionRun) -> None:
        self.outcomes.append(await run.execute())

    def _take_signal(self, number: signal.Signals) -> None:
        with logs.bound(**(self.runs[0].context if self._is_one else {})):
            self._end_runs(number)

    def _end_runs(self, number: signal.Signals) -> None:
        if number == signal.SIGHUP and self._reloads_on_hangup and self._signal is None:
            self.reloads.ask()
        elif self._signal is not None:
            logs.logger().warning("forced", signal=number.name)
            for run in self.runs:
                run.force(number)
        elif number != signal.SIGINT or not any(run.interrupt() for run in self.runs):
            self._signal = number
            logs.logger().info("signal_received", signal=number.name)
            self._notices.leave()
            for run in self.runs:
                run.drain(number)

    def _sum_up(self) -> None:
        failed = sum(each.error is not None for each in self.outcomes)
        codes = Counter(str(each.exit_code) for each in self.outcomes)
        self._notices.end(f"ended: {failed} of {len(self.outcomes)} sessions failed")
        logs.logger().info("sessions_ended", total=len(self.outcomes), failed=failed, exit_codes=dict(codes))
