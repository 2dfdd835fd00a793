"""Writes down how far a session is while it runs, and goes on from what an earlier process has written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from functools import partial
from time import time
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread

from runner import logs
from runner.connect.changes import Changes
from runner.errors import OutputError
from runner.protocol.state import SessionState
from runner.resume.opened_state import header_of, open_state
from runner.resume.restoration import restore
from runner.resume.state_log import StateLog
from runner.resume.state_model import CallProgress, SavedCounts
from runner.session.call_ledger import CallLedger
from runner.tools.tool_result import ToolResult

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.protocol.effects import FunctionCalled
    from runner.session.carriage import Carriage
    from runner.session.state_place import StatePlace
    from runner.settings.profile import Profile
    from runner.tools.tool_result import Outcome

Written = TypeVar("Written")

_LAST_WRITE_S: Final = 5.0
"""How long the last words of a session may take to be written, in seconds."""
_INTERRUPTED: Final = (
    "interrupted, outcome unknown: the process that ran this call has ended before its result was known. The call may "
    "have taken effect, and was not run again."
)


class Resumption(CallLedger):
    """The state of one session in its file: what is finished is written through, in a thread, and nobody waits for it.

    Only the calls of tools wait: they begin when that is on the disk, and their outputs are given when those are.

    Args:
        log: Where it is written.

    Attributes:
        is_resumed: Whether an earlier process has begun the session.
        asked_again: The `event_id`s under which earlier processes have asked what is asked again.
        is_greeted: Says whether the greeting was said.
        failure: Why nothing is written any more.
    """

    def __init__(self, log: StateLog) -> None:
        saved = log.saved
        self.is_resumed = saved.starts > 0
        self.asked_again: frozenset[str] = frozenset()
        self.is_greeted: Callable[[], bool] = lambda: saved.is_greeted
        self.failure: OutputError | None = None
        self._log = log
        self._saved = saved
        self._calls = dict(saved.calls)
        self._left = dict(saved.calls)
        """The calls that earlier processes have begun."""
        self._starts = saved.starts + 1
        self._over = ""
        self._opened_s = anyio.current_time()
        self._carriage: Carriage | None = None
        self._wanted = 0
        self._written = 0
        self._progress = Changes()

    @property
    def was_greeted(self) -> bool:
        """Whether an earlier process has greeted."""
        return self._saved.is_greeted

    def follow(self, carriage: Carriage, profile: Profile) -> None:
        """Write down the session of this carriage from now on, which goes on where its file says it is."""
        self._carriage = carriage
        if not self.is_resumed:
            return
        state = SessionState(
            kind=profile.session.type,
            max_response_retries=profile.run.max_response_retries,
            retries_lost=profile.run.reconnect.response_in_flight == "retry",
            clock=anyio.current_time,
        )
        restore(self._saved, state)
        self._log.snapshot.know(state)
        self.asked_again = frozenset(each.first_id for each in state.retries if each.first_id)
        carriage.spending.restore(state.counts.earlier, state.usage)
        carriage.resume(self._saved.session_id, state)
        facts = {"items": len(state.conversation), "asked_again": len(state.retries)}
        facts |= {"calls": sum(len(each.calls) for each in state.rounds.open), "given_up": len(state.unanswered)}
        age_s = round(max(0.0, time() - self._saved.at_s), 3)
        shown = {name: count for name, count in facts.items() if count}
        logs.logger().info("state_resumed", path=str(self._log.file.path), saved_s_ago=age_s, **shown)

    async def run(self, failed: Callable[[RunnerError], None]) -> None:
        """Write down what is finished as soon as it is, until cancelled.

        Args:
            failed: Called once if the file cannot be written; nothing is written then any more.
        """
        assert self._carriage is not None  # noqa: S101  # `follow` comes first
        changes = self._carriage.changes
        while self.failure is None:
            seen, wanted = changes.count, self._wanted
            try:
                await self._write()
                self._written = wanted
            except OutputError as error:
                self.failure = error
                failed(error)
            self._progress.notify()
            if changes.count == seen and self.failure is None:
                await changes.next()

    def concluding(self, ended: Callable[[str], object]) -> Callable[[str], None]:
        """What is to be called in place of this where the conversation ends for good: the next process begins anew."""

        def concluded(reason: str) -> None:
            self._over = reason
            ended(reason)

        return concluded

    def left(self, call: FunctionCalled, *, may_run_again: bool) -> ToolResult | None:
        """How a call has ended that an earlier process has begun; None for one that is to be run."""
        progress = self._left.pop(call.item_id, None)
        if progress is None or (may_run_again and not progress.outcome):
            return None
        if progress.outcome:
            outcome: Outcome = progress.outcome  # type: ignore[assignment]  # this program has written it
            return ToolResult(progress.output, outcome, progress.duration_s)
        logs.logger().warning("tool_interrupted", tool=call.name[:64], call_id=call.call_id)
        return ToolResult(_INTERRUPTED, "interrupted", attempts=0)

    async def begin(self, call: FunctionCalled) -> None:
        """Wait until it is on the disk that a call begins; raises `OutputError` where it cannot be."""
        self._calls[call.item_id] = CallProgress(begun_at_s=time())
        await self._through()

    async def end(self, call: FunctionCalled, result: ToolResult) -> None:
        """Wait until it is on the disk how a call has ended; raises as `begin` does."""
        before = self._calls.get(call.item_id)
        self._calls[call.item_id] = CallProgress.of(
            begun_at_s=before.begun_at_s if before else time(),
            outcome=result.outcome,
            output=result.output,
            duration_s=round(result.duration_s, 3),
        )
        await self._through()

    async def close(self) -> None:
        """Write down how the session has ended, and leave the file to other processes.

        Raises:
            OutputError: It cannot be written, or not in time.
        """
        with anyio.move_on_after(_LAST_WRITE_S, shield=True) as scope:
            try:
                if self.failure is None and self._carriage is not None and self._carriage.id:
                    await self._write(is_last=True)
            finally:
                # A thread that hangs in the file must not be waited for here.
                await _in_thread(self._log.close)
        if scope.cancelled_caught:
            msg = f"{self._log.file.name} could not be written within {_LAST_WRITE_S:g} s"
            raise OutputError(msg)

    async def _through(self) -> None:
        """Wait until all that has happened by now is on the disk."""
        assert self._carriage is not None  # noqa: S101  # no call comes before `follow`
        self._wanted += 1
        wanted = self._wanted
        self._carriage.changes.notify()
        while self._written < wanted:
            if self.failure is not None:
                raise self.failure
            await self._progress.next()

    async def _write(self, *, is_last: bool = False) -> None:
        """Write what has changed since the last time, if anything has; it is on the disk then."""
        assert self._carriage is not None  # noqa: S101  # `follow` comes first
        if not self._carriage.id:
            # There is no session yet.
            return
        change = self._log.snapshot.change(
            self._carriage.state,
            self._calls,
            starts=self._starts,
            session_id=self._carriage.id,
            usage=_spent(self._carriage),
            counts=self._counted(self._carriage, is_last=is_last),
            is_greeted=self._saved.is_greeted or self.is_greeted(),
            over=self._over,
        )
        if change is not None:
            self._log.take(change)
        if change is not None or is_last:
            await _in_thread(self._log.write)

    def _counted(self, carriage: Carriage, *, is_last: bool) -> SavedCounts:
        """What limits have counted; for how long, only where something was counted or the session ends."""
        counts, before = carriage.state.counts, self._saved.counts
        counted = counts.turns, counts.calls, counts.errors
        if counted == (before.turns, before.calls, before.errors) and not is_last:
            return before
        lived_s = counts.lived_s + anyio.current_time() - self._opened_s
        return SavedCounts(turns=counts.turns, calls=counts.calls, errors=counts.errors, lived_s=round(lived_s, 3))


def _spent(carriage: Carriage) -> dict[str, dict[str, int | float]]:
    """What each provider was used for, where it was."""
    used = {name: asdict(usage) for name, usage in carriage.spending.of(carriage.state.usage).items()}
    amounts = {name: {key: amount for key, amount in each.items() if amount} for name, each in used.items()}
    return {name: each for name, each in amounts.items() if each}


@asynccontextmanager
async def resumption_at(place: StatePlace, profile: Profile) -> AsyncIterator[Resumption]:
    """Open the state of a session for as long as the session is.

    Raises:
        ProfileError: The file is the state of another profile, of other variables, or of another version.
        InputError: It cannot be read, or is no state.
        OutputError: It cannot be written, or another process has it.
    """
    settings = profile.run.resume
    assert settings is not None  # noqa: S101  # they say where the place is
    values = {name: each.default or "" for name, each in profile.variables.items() if not each.secret}
    opening = partial(open_state, place.path, header_of(place.profile, values), is_fresh=place.is_fresh)
    file, saved = await _in_thread(opening)
    resumption = Resumption(StateLog(file, saved, settings.max_bytes))
    try:
        yield resumption
    except BaseException:
        with suppress(OutputError):
            await resumption.close()
        raise
    await resumption.close()


async def _in_thread(work: Callable[[], Written]) -> Written:
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
