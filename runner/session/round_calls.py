"""The calls of a round: each is approved of, run, and its output given to the conversation."""

from __future__ import annotations

from functools import partial
from time import time
from typing import TYPE_CHECKING

import anyio

from runner import logs
from runner.protocol.rounds import CallFacts
from runner.session.approvals import ApprovalAnswer, ApprovalRequest
from runner.session.withdrawals import Withdrawals
from runner.tools.end_session import END_SESSION_TOOL
from runner.tools.tool_result import Outcome, ToolResult
from runner.tools.tool_source import HOSTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.protocol.effects import ApprovalAsked, FunctionCalled
    from runner.protocol.json_fields import JsonObject
    from runner.protocol.rounds import Round
    from runner.session.approvals import Approvals
    from runner.session.call_ledger import CallLedger
    from runner.session.carriage import Carriage
    from runner.session.delegated_rounds import DelegatedRounds
    from runner.session.outbox import Outbox
    from runner.tools.tool_source import OfferedTool
    from runner.tools.toolbox import Toolbox

_OUTPUT = "function_call_output"
_INTERRUPTED = "The call was not run, because its turn was interrupted."


class RoundCalls:
    """Answers the calls of rounds, and the endpoint's questions for approval.

    Args:
        toolbox: Runs the calls.
        carriage: Where the session is.
        outbox: What goes out of it.
        delegated: Gives outputs to the model behind a Live session.
        approvals: Whoever approves of calls.
        called: Called with the id of each call when it begins to run; what it returns is called, in the same task,
            when it has run.
        ledger: Knows of calls what other processes have to know.
    """

    def __init__(
        self,
        toolbox: Toolbox,
        carriage: Carriage,
        outbox: Outbox,
        delegated: DelegatedRounds,
        *,
        approvals: Approvals,
        called: Callable[[str], Callable[[], object]],
        ledger: CallLedger,
    ) -> None:
        self._toolbox = toolbox
        self._carriage = carriage
        self._outbox = outbox
        self._delegated = delegated
        self._approvals = approvals
        self._called = called
        self._ledger = ledger
        self._withdrawals = Withdrawals()

    def withdraw(self) -> None:
        """Withdraw the calls of interrupted turns that have not begun."""
        self._withdrawals.look()

    async def answer(self, round_: Round) -> None:
        """Answer everything that a response has called and asked, beside each other."""
        if len(round_.calls) == 1 and not round_.approvals:
            # What nothing runs beside needs no task, which would have to wait for its turn.
            await self._answer(round_, round_.calls[0])
            return
        async with anyio.create_task_group() as calls:
            for each in round_.calls:
                calls.start_soon(self._answer, round_, each)
            for asked in round_.approvals:
                calls.start_soon(self._approve, round_, asked)

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
            most = self._carriage.state.rounds.most
            return self._refused(call, f"The call was not run: the turn has had its {most} rounds of calls.", "denied")
        if not round_.goes_on:
            return self._refused(call, _INTERRUPTED, "cancelled")
        results: list[ToolResult] = []
        leave: Callable[[], object] = bool
        with self._withdrawals.withdrawable(round_) as settle:

            async def began() -> None:
                nonlocal leave
                settle()
                await self._ledger.begin(call)
                leave = self._called(call.call_id)

            denied = partial(self._denied, call)
            try:
                results.append(
                    await self._toolbox.call(call.name, call.arguments, call.call_id, denied=denied, began=began)
                )
            finally:
                leave()
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
