"""The tools of a session: what is offered to the model, and its calls, run within their limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.lowlevel

from runner import logs
from runner.connect.changes import Changes
from runner.redaction import redact
from runner.task_groups import body_task_group
from runner.tools.call_arguments import ArgumentSchema, UnfitArguments, argument_names
from runner.tools.output_text import cut
from runner.tools.served_source import ServedSource, offered_by
from runner.tools.tool_result import ToolResult
from runner.tools.tool_source import CallAnswer

if TYPE_CHECKING:
    from runner.tools.tool_source import JsonObject, OfferedTool, ToolSource

    Denial = Callable[[OfferedTool], Awaitable["ToolResult | None"]]
    """Asked before a call runs: its answer where it may not."""

_FIRST_RETRY_S = 0.25
_MOST_NAMES = 20


@asynccontextmanager
async def open_toolbox(sources: Sequence[ToolSource]) -> AsyncIterator[Toolbox]:
    """Open sources of tools beside each other, and serve calls until the block ends; no call outlives it."""
    async with body_task_group() as tasks:
        toolbox = Toolbox(sources)
        toolbox.open(tasks)
        yield toolbox


class Toolbox:
    """What the model may call, from all sources; `call` always has an answer for it.

    Approval, and what is done with an answer, are the caller's.

    Args:
        sources: Where the tools come from; of two tools with one name the first is offered.
    """

    def __init__(self, sources: Sequence[ToolSource]) -> None:
        self._changes = Changes()
        self._served = [ServedSource(each, self._changes) for each in sources]
        self._slots: dict[str, anyio.CapacityLimiter] = {}
        self._schemas: dict[str, ArgumentSchema] = {}
        self._tasks: anyio.abc.TaskGroup

    def open(self, tasks: anyio.abc.TaskGroup) -> None:
        """Begin to open the sources, in tasks that serve them until the group is cancelled."""
        self._tasks = tasks
        for each in self._served:
            tasks.start_soon(each.serve)

    async def ready(self) -> None:
        """Wait until every source is open.

        Raises:
            RunnerError: One can never be opened.
        """
        await self._opened(self._served)

    async def _opened(self, served: Sequence[ServedSource]) -> None:
        while not all(each.is_open for each in served):
            if failure := next((each.failure for each in served if each.failure), None):
                raise failure
            await self._changes.next()

    async def opened_beside(self, sources: Sequence[ToolSource]) -> SourceRenewal:
        """Open other sources beside the present ones; those that are among them stay as they are.

        Raises:
            RunnerError: One can never be opened; the present ones are offered as before.
        """
        present = {id(each.source): each for each in self._served}
        served = [present.get(id(each)) or ServedSource(each, self._changes) for each in sources]
        opened = [each for each in served if each not in self._served]
        renewal = SourceRenewal(self, served, opened)
        try:
            for each in opened:
                self._tasks.start_soon(each.serve)
            await self._opened(served)
        except BaseException:
            renewal.give_up()
            raise
        return renewal

    def replace(self, served: list[ServedSource]) -> None:
        """Offer what these sources offer from now on; calls that have begun end with what they were begun with."""
        before, self._served = self._served, served
        for each in before:
            if each not in served:
                each.retire()

    def offered(self) -> list[OfferedTool]:
        """The tools that the model may call now, each name once."""
        return [tool for tool, _ in offered_by(self._served).values()]

    def definitions(self) -> list[JsonObject]:
        """The tools as `session.tools` takes them."""
        return [tool.definition for tool in self.offered()]

    def find(self, name: str) -> OfferedTool | None:
        """The tool with this name, with the settings of its calls; None where none is offered."""
        found = self._found(name)
        return found[0] if found else None

    def _found(self, name: str) -> tuple[OfferedTool, ServedSource] | None:
        for served in self._served:
            for tool in served.source.tools():
                if tool.name == name:
                    return tool, served
        return None

    async def call(
        self,
        name: str,
        arguments_text: str,
        call_id: str,
        *,
        denied: Denial | None = None,
        began: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint,
    ) -> ToolResult:
        """Run one call by the tool as it is offered now, whatever becomes of it meanwhile.

        Only cancellation is raised, and what `denied` and `began` raise.

        Args:
            name: What the model has called.
            arguments_text: The arguments, as it has written them.
            call_id: The call's id, for the log.
            denied: Asked before it runs, unless the tool is unknown.
            began: Called when the call's turn has come; the call runs when it has returned.
        """
        found, began_s = self._found(name), anyio.current_time()
        if found is None or found[0].is_client:
            result = ToolResult(self._unknown(name), "unknown", attempts=0)
        else:
            tool, served = found
            slots = self._turns(tool)
            with served.in_use():
                if denied and (answer := await denied(tool)):
                    return answer
                began_s = anyio.current_time()
                result = await self._run(tool, served.source, slots, arguments_text, began)
        result = result._replace(duration_s=anyio.current_time() - began_s)
        _log(found[0] if found else None, name, arguments_text, call_id, result)
        return result

    def _turns(self, tool: OfferedTool) -> anyio.CapacityLimiter:
        """The turns that calls of a tool take, as many at once as it allows by now."""
        slots = self._slots.get(tool.name)
        if slots is None:
            slots = self._slots[tool.name] = anyio.CapacityLimiter(tool.settings.concurrency)
        slots.total_tokens = tool.settings.concurrency
        return slots

    def _unknown(self, name: str) -> str:
        names = [tool.name for tool in self.offered() if not tool.is_client]
        there_are = f"There are: {', '.join(names[:_MOST_NAMES])}." if names else "There are no tools."
        return f"There is no tool {name[:64]!r}. {there_are}"

    async def _run(
        self,
        tool: OfferedTool,
        source: ToolSource,
        slots: anyio.CapacityLimiter,
        arguments_text: str,
        began: Callable[[], Awaitable[None]],
    ) -> ToolResult:
        limits, turn, attempts = tool.settings, object(), 0
        answer: CallAnswer | None = None
        try:
            arguments = self._schema(tool).read(arguments_text)
            if not await _has_turn(slots, turn, limits.timeout_s):
                text = f"The tool was busy with other calls for {limits.timeout_s:g} s, and this one was not run."
                return ToolResult(text, "busy", attempts=0)
            try:
                await began()
                with anyio.move_on_after(limits.timeout_s):
                    while answer is None or (answer.may_pass and attempts <= limits.retries):
                        if answer is not None:
                            await anyio.sleep(_FIRST_RETRY_S * 2 ** (attempts - 1))
                        attempts, answer = attempts + 1, None
                        answer = await _attempt(source, tool.name, arguments)
            finally:
                slots.release_on_behalf_of(turn)
        except UnfitArguments as unfit:
            return ToolResult(str(unfit), "invalid", attempts=attempts)
        if answer is None:
            text = f"The tool gave no result within {limits.timeout_s:g} s and was stopped."
            return ToolResult(text, "timed-out", attempts=attempts)
        output, is_cut = cut(redact(answer.text), limits.max_output_bytes, is_cut=answer.is_cut)
        return ToolResult(output, "failed" if answer.is_failed else "ok", is_cut=is_cut, attempts=attempts)

    def _schema(self, tool: OfferedTool) -> ArgumentSchema:
        known = self._schemas.get(tool.name)
        if known is None or known.schema is not tool.parameters:
            known = self._schemas[tool.name] = ArgumentSchema(tool.parameters)
        return known


class SourceRenewal:
    """Other sources for a toolbox, open beside its present ones until they are taken or given up.

    Args:
        toolbox: The toolbox.
        served: The sources, those that stay included.
        opened: Those of them that are new.
    """

    def __init__(self, toolbox: Toolbox, served: list[ServedSource], opened: Sequence[ServedSource]) -> None:
        self._toolbox = toolbox
        self._served = served
        self._opened = opened

    def definitions(self) -> list[JsonObject]:
        """The tools as `session.tools` takes them."""
        return [tool.definition for tool, _ in offered_by(self._served).values()]

    def take(self) -> None:
        """Have the toolbox offer them from now on; calls that have begun end with what they were begun with."""
        self._opened = ()
        self._toolbox.replace(self._served)

    def give_up(self) -> None:
        """Close what was opened, unless it was taken."""
        for each in self._opened:
            each.retire()


async def _has_turn(slots: anyio.CapacityLimiter, turn: object, timeout_s: float) -> bool:
    """Take a turn; returns whether there was one in time."""
    try:
        slots.acquire_on_behalf_of_nowait(turn)
    except anyio.WouldBlock:
        with anyio.move_on_after(timeout_s):
            await slots.acquire_on_behalf_of(turn)
            return True
        return False
    return True


async def _attempt(source: ToolSource, name: str, arguments: JsonObject) -> CallAnswer:
    try:
        return await source.call(name, arguments)
    except UnfitArguments:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the model needs an answer and the session goes on
        logs.logger().error("tool_broken", tool=name, exc_info=error)
        return CallAnswer("The tool failed because of an internal error.", is_failed=True)


def _log(tool: OfferedTool | None, name: str, arguments_text: str, call_id: str, result: ToolResult) -> None:
    """Log the end of a call, with as much of it as the tool's settings let be seen."""
    shows = tool.settings.log if tool else "redacted"
    facts: dict[str, object] = {
        "tool": name[:64],
        "call_id": call_id,
        "outcome": result.outcome,
        "duration_ms": round(result.duration_s * 1000),
        "attempts": result.attempts,
    }
    if shows == "full":
        facts |= {"arguments": arguments_text, "output": result.output}
    elif shows == "redacted":
        facts |= {"arguments": argument_names(arguments_text), "output_characters": len(result.output)}
    if result.is_cut:
        facts["is_cut"] = True
    log = logs.logger().info if result.outcome == "ok" else logs.logger().warning
    log("tool_called", **facts)
