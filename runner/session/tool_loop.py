"""Runs the functions that responses call, gives their outputs to the conversation, and has the turn go on."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from runner import logs
from runner.errors import RunnerError
from runner.protocol.effects import ResponseEnded, ResponseStarted, SpeechStarted
from runner.session.delegated_rounds import DelegatedRounds
from runner.session.filler import filler_of
from runner.session.round_calls import RoundCalls
from runner.session.turn_continuation import TurnContinuation
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    from runner.protocol.effects import Effect
    from runner.protocol.rounds import Round
    from runner.session.approvals import Approvals
    from runner.session.call_ledger import CallLedger
    from runner.session.carriage import Carriage
    from runner.session.filler import Filler
    from runner.session.hang_up import HangUp
    from runner.session.outbox import Outbox
    from runner.session.update import Update
    from runner.settings.tool_use import ToolUse
    from runner.tools.toolbox import Toolbox

OFFERED_S = 5.0
"""How long the calls of an earlier process wait for tools that are not offered yet, in seconds."""
_LANDMARKS = frozenset({ResponseStarted, ResponseEnded, SpeechStarted})


class _IdleTask:
    """A task that waits for a round to serve."""

    def __init__(self) -> None:
        self._has_come = anyio.Event()
        self._round: Round

    def take(self, round_: Round) -> None:
        """Have it served."""
        self._round = round_
        self._has_come.set()

    async def round(self) -> Round:
        """Wait for it."""
        await self._has_come.wait()
        return self._round


class ToolLoop:
    """The rounds of one session: calls run beside each other, and once all have an output, one response is asked for.

    A call is run once, whatever becomes of the connection, and every call that stands in the conversation gets an
    output. Of a turn that is interrupted, what has not begun is not run; what has begun runs to its end, and its output
    is given for what follows, without a response of its own.

    Args:
        settings: What holds for all tools.
        toolbox: Runs the calls.
        carriage: Where the session is.
        outbox: What goes out of it.
        approvals: Whoever approves of calls.
        filler: Says something while calls take long.
        hang_up: The model's wish to end the session.
        refresh: Called when a response is over: has the endpoint told of tools that have come or gone.
        called: Called with the id of each call when it begins to run; what it returns is called, in the same task,
            when it has run.
        ledger: Knows of calls what other processes have to know.
    """

    def __init__(
        self,
        settings: ToolUse,
        toolbox: Toolbox,
        carriage: Carriage,
        outbox: Outbox,
        *,
        approvals: Approvals,
        filler: Filler,
        hang_up: HangUp,
        refresh: Callable[[], object],
        called: Callable[[str], Callable[[], object]],
        ledger: CallLedger,
    ) -> None:
        self._settings = settings
        self._toolbox = toolbox
        self._carriage = carriage
        self._filler = filler
        self._hang_up = hang_up
        self._continuation = TurnContinuation(carriage, outbox, filler=filler, hang_up=hang_up)
        self._delegated = DelegatedRounds(carriage, outbox, hang_up, lambda: self._continuation.started)
        self._calls = RoundCalls(
            toolbox, carriage, outbox, self._delegated, approvals=approvals, called=called, ledger=ledger
        )
        self._refresh = refresh
        self._has_ended = False
        """Whether a response is over since the tools were last looked at."""
        self._tasks: anyio.abc.TaskGroup | None = None
        """Where rounds are served, while they are."""
        self._idle: _IdleTask | None = None
        """The task that waits for a round."""
        self._context = copy_context()
        """What holds where they are, whoever brings them."""

    def read(self, update: Update) -> None:
        """Follow the responses of the session: a reader, which never waits."""
        for effect in update.effects:
            # Most effects are pieces of answers, and cost one look.
            if type(effect) in _LANDMARKS:
                self._follow(effect)

    def _follow(self, effect: Effect) -> None:
        match effect:
            case ResponseStarted(response_id=response_id) if response_id in self._carriage.state.in_flight:
                self._continuation.started += 1
            case SpeechStarted():
                self._hang_up.hear(effect)
            case ResponseEnded():
                self._has_ended = True
                # A call that has to wait for the turn of a task is late by that.
                self._context.run(self._begin)
                self._hang_up.take(effect)
            case _:
                pass

    def adopt(self, settings: ToolUse) -> None:
        """Go by other settings from now on; a call that has begun ends as it was begun."""
        self._settings = settings

    def interrupt(self) -> None:
        """Withdraw the calls of interrupted turns that have not begun."""
        self._calls.withdraw()

    async def run(self) -> None:
        """Run rounds until the session is over."""
        rounds = self._carriage.state.rounds
        async with anyio.create_task_group() as tasks:
            while not (self._carriage.epoch or self._carriage.is_over):
                await self._carriage.changes.next()
            for each in rounds.begin():
                tasks.start_soon(self._resume, each)
            self._tasks, self._context = tasks, copy_context()
            tasks.start_soon(self._serve_one)
            try:
                while not self._carriage.is_over:
                    # Most have begun in the callback that brought them; others have come while nobody read.
                    self._begin()
                    if self._has_ended:
                        self._has_ended = False
                        self._refresh()
                    await self._carriage.changes.next()
            finally:
                self._tasks = None
            tasks.cancel_scope.cancel()

    def _begin(self) -> None:
        """Serve the rounds that have not begun."""
        if self._tasks is not None:
            for each in self._carriage.state.rounds.begin():
                if self._idle is None:
                    self._tasks.start_soon(self._serve, each)
                else:
                    self._idle.take(each)
                    self._idle = None

    async def _serve_one(self) -> None:
        """Wait for a round and serve it: to wake a task takes less than to start one, and the model waits for that."""
        round_ = await self._next_round()
        try:
            await self._serve(round_)
        finally:
            if self._tasks is not None and self._idle is None:
                # Nothing that this round has left in its context is there in the next.
                self._context.run(self._tasks.start_soon, self._serve_one)

    async def _next_round(self) -> Round:
        idle = self._idle = _IdleTask()
        return await idle.round()

    async def _resume(self, round_: Round) -> None:
        """Go on with a round of an earlier process, once the host program has had time to offer its functions."""
        with anyio.move_on_after(OFFERED_S):
            while not all(self._toolbox.find(each.name) for each in round_.calls):
                await self._carriage.changes.next()
        await self._serve(round_)

    async def _serve(self, round_: Round) -> None:
        """One round, from its calls to the request that continues the turn; it stays open where the session ends."""
        logs.bind(session_id=self._carriage.id)
        is_left = False
        self._delegated.begin(round_)
        try:
            after_ms, words = self._filler_of(round_)
            if self._filler.is_due(round_) and after_ms is not None:
                async with body_task_group() as meanwhile:
                    meanwhile.start_soon(self._filler.wait, round_, after_ms, words)
                    await self._calls.answer(round_)
            else:
                await self._calls.answer(round_)
            await self._go_on(round_)
        except* RunnerError as raised:
            # The session has ended, and says why itself.
            logs.logger().debug("round_left", error=str(raised.exceptions[0]))
            is_left = self._carriage.is_over
        finally:
            self._delegated.end(round_)
        if not is_left:
            self._carriage.state.rounds.end(round_)
            self._carriage.changes.notify()

    @property
    def _is_live(self) -> bool:
        return self._carriage.state.kind == "live"

    async def _go_on(self, round_: Round) -> None:
        """Have the turn of a round go on."""
        side = self._delegated if self._is_live else self._continuation
        await side.go_on(round_, self._settings.max_rounds)

    def _filler_of(self, round_: Round) -> tuple[int | None, str]:
        if self._is_live:
            # The model speaks by itself meanwhile.
            return None, ""
        found = [tool.settings for each in round_.calls if (tool := self._toolbox.find(each.name))]
        return filler_of(found, self._settings, self._carriage.state.effective)
