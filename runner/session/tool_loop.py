"""Runs the functions that responses call, gives their outputs to the conversation, and has the turn go on."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from time import time
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from runner import logs
from runner.errors import RunnerError
from runner.protocol.effects import ResponseEnded, ResponseStarted, SpeechStarted
from runner.protocol.rounds import CallFacts
from runner.session.approvals import ApprovalAnswer, ApprovalRequest
from runner.session.delegated_rounds import DelegatedRounds
from runner.session.filler import filler_of
from runner.session.turn_continuation import TurnContinuation
from runner.session.withdrawals import Withdrawals
from runner.tools.end_session import END_SESSION_TOOL
from runner.tools.tool_result import Outcome, ToolResult
from runner.tools.tool_source import HOSTED

if TYPE_CHECKING:
    from runner.protocol.effects import ApprovalAsked, Effect, FunctionCalled
    from runner.protocol.json_fields import JsonObject
    from runner.protocol.rounds import Round
    from runner.session.approvals import Approvals
    from runner.session.call_ledger import CallLedger
    from runner.session.carriage import Carriage
    from runner.session.filler import Filler
    from runner.session.hang_up import HangUp
    from runner.session.outbox import Outbox
    from runner.session.update import Update
    from runner.settings.tool import ToolUse
    from runner.tools.tool_source import OfferedTool
    from runner.tools.toolbox import Toolbox

OFFERED_S = 5.0
"""How long the calls of an earlier process wait for tools that are not offered yet, in seconds."""
_LANDMARKS = frozenset({ResponseStarted, ResponseEnded, SpeechStarted})
_OUTPUT = "function_call_output"
_INTERRUPTED = "The call was not run, because its turn was interrupted."


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
        called: Called with the id of each call when it begins to run, in its own task.
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
        called: Callable[[str], object],
        ledger: CallLedger,
    ) -> None:
        self._settings = settings
        self._toolbox = toolbox
        self._carriage = carriage
        self._outbox = outbox
        self._approvals = approvals
        self._filler = filler
        self._hang_up = hang_up
        self._continuation = TurnContinuation(carriage, outbox, filler=filler, hang_up=hang_up)
        self._delegated = DelegatedRounds(carriage, outbox, hang_up, lambda: self._continuation.started)
        self._refresh = refresh
        self._called = called
        self._ledger = ledger
        self._has_ended = False
        """Whether a response is over since the tools were last looked at."""
        self._tasks: anyio.abc.TaskGroup | None = None
        """Where rounds are served, while they are."""
        self._context = copy_context()
        """What holds where they are, whoever brings them."""
        self._withdrawals = Withdrawals()

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
        self._withdrawals.look()

    async def run(self) -> None:
        """Run rounds until the session is over."""
        rounds = self._carriage.state.rounds
        async with anyio.create_task_group() as tasks:
            while not (self._carriage.epoch or self._carriage.is_over):
                await self._carriage.changes.next()
            for each in rounds.begin():
                tasks.start_soon(self._resume, each)
            self._tasks, self._context = tasks, copy_context()
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
                self._tasks.start_soon(self._serve, each)

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
            async with anyio.create_task_group() as meanwhile:
                if self._filler.is_due(round_) and after_ms is not None:
                    meanwhile.start_soon(self._filler.wait, round_, after_ms, words)
                async with anyio.create_task_group() as calls:
                    for each in round_.calls:
                        calls.start_soon(self._answer, round_, each)
                    for asked in round_.approvals:
                        calls.start_soon(self._approve, round_, asked)
                meanwhile.cancel_scope.cancel()
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

    async def _answer(self, round_: Round, call: FunctionCalled) -> None:
        """Run one call, and give its output to the conversation; one that is answered elsewhere is waited for."""
        if self._has_output(call):
            return
        tool = self._toolbox.find(call.name)
        is_harmless = call.name == END_SESSION_TOOL.name or bool(tool and tool.settings.retries)
        result = self._ledger.left(call, may_run_again=is_harmless)
        if result is None and tool and tool.is_client and round_.goes_on:
            await self._ledger.begin(call)
            if await self._is_answered(call, tool.settings.timeout_s):
                return
            text = f"Nobody has answered the call within {tool.settings.timeout_s:g} s."
            result = self._refused(call, text, "timed-out")
        result = result or await self._result(round_, call)
        await self._ledger.end(call, result)
        rounds = self._carriage.state.rounds
        rounds.note(call.call_id, CallFacts(result.outcome, round(result.duration_s, 3), time()))
        if link := self._carriage.link:
            facts = {"outcome": result.outcome, "duration_s": round(result.duration_s, 3)}
            link.note({"type": "tool.ended", "name": call.name, "call_id": call.call_id, **facts})
        await self._give(round_, {"type": _OUTPUT, "call_id": call.call_id, "output": result.output}, call)

    async def _give(self, round_: Round, item: JsonObject, call: FunctionCalled | None = None) -> None:
        """Give the conversation the output of a call, or the answer to a question for approval."""
        link = await self._outbox.any_link()
        if link.state.kind == "live":
            await self._delegated.give(round_, item, call)
        else:
            await self._outbox.send({"type": "conversation.item.create", "item": item})

    async def _approve(self, round_: Round, asked: ApprovalAsked) -> None:
        """Answer whether the endpoint may call a server; a next connection would know nothing of the question."""
        epoch, answer = self._carriage.epoch, ApprovalAnswer(False, _INTERRUPTED)
        with self._withdrawals.withdrawable(round_):
            server = self._toolbox.find(f"{HOSTED}{asked.server}")
            how = server.settings.approval if server else "always"
            request = ApprovalRequest(asked.request_id, asked.name, asked.arguments, asked.server)
            answer = await self._approvals.decide(request, how)
        if self._carriage.epoch == epoch:
            item: JsonObject = {"type": "mcp_approval_response", "approval_request_id": asked.request_id}
            item |= {"approve": answer.is_approved, **({"reason": answer.text} if answer.text else {})}
            await self._give(round_, item)

    async def _result(self, round_: Round, call: FunctionCalled) -> ToolResult:
        if round_.standing == "spent":
            most = self._settings.max_rounds
            return self._refused(call, f"The call was not run: the turn has had its {most} rounds of calls.", "denied")
        if not round_.goes_on:
            return self._refused(call, _INTERRUPTED, "cancelled")
        results: list[ToolResult] = []
        with self._withdrawals.withdrawable(round_) as settle:

            async def began() -> None:
                settle()
                await self._ledger.begin(call)
                self._called(call.call_id)

            denied = partial(self._denied, call)
            results.append(
                await self._toolbox.call(call.name, call.arguments, call.call_id, denied=denied, began=began)
            )
        return results[0] if results else self._refused(call, _INTERRUPTED, "cancelled")

    async def _denied(self, call: FunctionCalled, tool: OfferedTool) -> ToolResult | None:
        """The answer to a call that is not approved; None where it may run."""
        if tool.settings.approval == "never":
            return None
        request = ApprovalRequest(call.call_id, call.name, call.arguments)
        answer = await self._approvals.decide(request, tool.settings.approval)
        if answer.is_approved:
            return None
        return self._refused(call, answer.text, "denied")

    async def _is_answered(self, call: FunctionCalled, timeout_s: float) -> bool:
        """Whether whoever uses the session gives the output of a call in time."""
        with anyio.move_on_after(timeout_s):
            while not self._has_output(call):
                await self._carriage.changes.next()
            return True
        return False

    def _has_output(self, call: FunctionCalled) -> bool:
        conversation = self._carriage.state.conversation
        item = conversation.get(call.item_id)
        return item is not None and conversation.output_of(item) is not None

    def _refused(self, call: FunctionCalled, text: str, outcome: Outcome) -> ToolResult:
        logs.logger().warning("tool_not_run", tool=call.name, call_id=call.call_id, outcome=outcome, reason=text)
        return ToolResult(text, outcome, attempts=0)
