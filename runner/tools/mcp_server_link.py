"""One MCP server: it is connected to, listed, called, and connected to again where it was lost."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.abc
import anyio.to_thread

from runner import logs
from runner.errors import AccessRefused, ProfileError, RunnerError, first_cause, reason_of
from runner.protocol.severity import brief
from runner.settings.mcp_server import StdioServer
from runner.task_groups import body_task_group
from runner.tools.call_arguments import schema_problem
from runner.tools.mcp_connection import load_package, open_client
from runner.tools.mcp_content import content_text
from runner.tools.tool_source import CallAnswer

if TYPE_CHECKING:
    from mcp import Client, Tool

    from runner.settings.mcp_server import McpServerSettings
    from runner.tools.tool_source import JsonObject

_FIRST_DELAY_S: Final = 0.5
_LONGEST_DELAY_S: Final = 30.0
_STABLE_S: Final = 60.0
"""A connection that has lived for as long as this, in seconds, ends a row of failures."""
_MOST_TOOLS: Final = 1000
_MOST_PAGES: Final = 100
_MANY_TOOLS: Final = 128
"""More tools than this are more than models choose well among, and than some endpoints take."""
_RUN_OUT_S: Final = 300.0
"""How long a call that nobody waits for any more may go on, in seconds: to cancel it ends some servers."""
_MOST_CALLS: Final = 1024
_LAST_LINES: Final = 5
"""How many lines of what a program has written to standard error are told where it is lost."""
_REFUSALS: Final = frozenset({401, 403})
_FAILURES: Final = 400
_LISTENS_SINCE: Final = "2026-07-28"
"""The protocol since which a server is asked to say that its tools have changed."""
_CONNECTION_CLOSED: Final = -32000
_FORGOTTEN: Final = frozenset({"Session terminated", "Server returned an error response"})
"""What the library says where a server knows our session no longer, as one of an older protocol after its restart."""
_TOOLS_CHANGED: Final = "notifications/tools/list_changed"


class McpServerLink:
    """The connections to one server, one after the other; what it has listed stays while it is lost.

    Args:
        settings: The server.

    Attributes:
        listed: The tools that it has listed last; another list where they have changed.
    """

    def __init__(self, settings: McpServerSettings) -> None:
        self.listed: Sequence[Tool] = ()
        self._settings = settings
        self._client: Client | None = None
        self._calls: anyio.abc.TaskGroup | None = None
        self._running = 0
        self._known = anyio.Event()
        self._failure: RunnerError | None = None
        self._is_served = False
        """Whether nobody waits for it any more, so that what fails is tried again."""
        self._is_lost = False
        self._is_stale = False
        self._status = 0
        """The status of the last answer of HTTP."""
        self._errors: deque[str] = deque(maxlen=_LAST_LINES)
        """What a program has written to standard error last."""
        self._news = anyio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Keep a connection to the server; the block begins when its tools are known, or it has had its time.

        Raises:
            RunnerError: The library is not installed, the server's program cannot be started, or what the connection
                needs is not there, such as a secret.
        """
        await load_package()
        async with body_task_group() as tasks:
            self._calls = tasks
            tasks.start_soon(self._keep)
            with anyio.move_on_after(self._settings.connect_timeout_s):
                await self._known.wait()
            if self._failure:
                raise self._failure
            self._is_served = True
            yield

    async def call(self, tool: str, arguments: JsonObject) -> CallAnswer:
        """Have the server run one call of a tool that it calls so; one that nobody waits for any more runs out."""
        if self._client is None or self._calls is None:
            text = f"The server {self._settings.name} of this tool is not connected at the moment. Try again later."
            return CallAnswer(text, is_failed=True, may_pass=True)
        if self._running >= _MOST_CALLS:
            return CallAnswer("The server of this tool is busy with other calls.", is_failed=True, may_pass=True)
        done = anyio.Event()
        answers = [CallAnswer("The call was given up.", is_failed=True)]

        async def run(client: Client) -> None:
            try:
                answers.append(await self._answer(client, tool, arguments))
            finally:
                self._running -= 1
                done.set()

        self._running += 1
        self._calls.start_soon(run, self._client)
        await done.wait()
        return answers[-1]

    async def _answer(self, client: Client, tool: str, arguments: JsonObject) -> CallAnswer:
        from mcp import MCPError

        try:
            result = await client.call_tool(tool, arguments, read_timeout_seconds=_RUN_OUT_S)
            return CallAnswer(content_text(result), is_failed=result.is_error)
        except MCPError as error:
            if error.code != _CONNECTION_CLOSED and error.message not in _FORGOTTEN:
                return CallAnswer(f"The tool failed: {brief(error.message)}", is_failed=True)
            self._lose()
            return CallAnswer("The server of this tool was lost during the call.", is_failed=True, may_pass=True)
        except Exception as error:  # noqa: BLE001  # whatever the library raises, the model needs an answer
            logs.logger().warning("mcp_answer_unreadable", server=self._settings.name, tool=tool, error=_reason(error))
            return CallAnswer("The tool's answer could not be read.", is_failed=True)

    async def _keep(self) -> None:
        """Connect, and connect again where the connection is lost."""
        failures = 0
        while self._failure is None:
            began_s = anyio.current_time()
            reason = await self._connect()
            failures = 1 if anyio.current_time() - began_s >= _STABLE_S else failures + 1
            bound_s = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** min(failures - 1, 10))
            delay_s = random.uniform(bound_s / 2, bound_s)  # noqa: S311  # spreads clients, hides nothing
            if self._failure is None:
                facts = {"server": self._settings.name, "error": reason, "retry_in_s": round(delay_s, 1)}
                if self._errors and self._settings.log != "none":
                    facts["stderr"] = " | ".join(self._errors)
                logs.logger().warning("mcp_server_lost" if self._known.is_set() else "mcp_server_unreachable", **facts)
                await anyio.sleep(delay_s)

    async def _connect(self) -> str:
        """Be connected until the connection is lost; returns why it was, or why there was none."""
        timeout_s = self._settings.connect_timeout_s
        self._is_lost, self._is_stale, self._status = False, False, 0
        self._errors.clear()
        with anyio.CancelScope(deadline=anyio.current_time() + timeout_s) as connecting:
            try:
                async with self._client_of() as client, anyio.create_task_group() as beside:
                    await self._list(client)
                    connecting.deadline = math.inf
                    self._log_tools("mcp_server_connected", protocol=client.protocol_version)
                    self._client = client
                    self._known.set()
                    beside.start_soon(self._listen, client)
                    while not self._is_lost:
                        if self._is_stale:
                            await self._list(client)
                            self._log_tools("mcp_tools_listed")
                        await self._news.wait()
                        self._news = anyio.Event()
                    beside.cancel_scope.cancel()
            except Exception as error:  # noqa: BLE001  # whatever the library raises, the server is tried again
                if not (self._known.is_set() or self._is_served) and (hopeless := self._hopeless(error)):
                    self._failure = hopeless
                    self._known.set()
                return self._why(error)
            finally:
                self._client = None
        return f"no answer within {timeout_s:g} s" if connecting.cancelled_caught else "the connection ended"

    def _client_of(self) -> AbstractAsyncContextManager[Client]:
        return open_client(
            self._settings,
            on_lost=self._lose,
            on_message=self._read,
            on_status=self._note_status,
            on_error_line=self._note_error,
        )

    async def _listen(self, client: Client) -> None:
        """Have a server of the present protocol say when its tools change; those of older ones say so by themselves."""
        tools = client.server_capabilities.tools
        if tools is None or not tools.list_changed or client.protocol_version < _LISTENS_SINCE:
            return
        try:
            async with client.listen(tools_list_changed=True) as news:
                async for _ in news:
                    self._is_stale = True
                    self._news.set()
        except Exception as error:  # noqa: BLE001  # whatever the library raises, the tools are those that are known
            logs.logger().debug("mcp_news_lost", server=self._settings.name, error=_reason(error))

    async def _list(self, client: Client) -> None:
        """Ask for the tools, and take those that are allowed."""
        self._is_stale = False
        found: list[Tool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if cursor is None or len(found) > _MOST_TOOLS:
                break
        log, name, allowed = logs.logger(), self._settings.name, self._settings.allowed_tools
        if len(found) > _MOST_TOOLS or cursor is not None:
            log.warning("mcp_tools_cut", server=name, tools=len(found), most=_MOST_TOOLS)
        if allowed is not None:
            for missing in sorted(set(allowed) - {each.name for each in found}):
                log.warning("mcp_tool_missing", server=name, tool=missing)
            found = [each for each in found if each.name in allowed]
        # A thousand schemas take a second.
        sound = await anyio.to_thread.run_sync(self._sound, found[:_MOST_TOOLS])
        self.listed = sound

    def _log_tools(self, event: str, **facts: str) -> None:
        write = logs.logger().info if len(self.listed) <= _MANY_TOOLS else logs.logger().warning
        write(event, server=self._settings.name, tools=len(self.listed), **facts)

    def _sound(self, tools: list[Tool]) -> list[Tool]:
        """The tools by whose schemas arguments can be judged."""
        sound = []
        for each in tools:
            if problem := schema_problem(each.input_schema):
                log = logs.logger()
                log.warning("mcp_tool_unsound", server=self._settings.name, tool=each.name, error=brief(problem))
            else:
                sound.append(each)
        return sound

    def _lose(self) -> None:
        """Note that nothing more comes over this connection."""
        self._is_lost, self._client = True, None
        self._news.set()

    def _note_status(self, status: int) -> None:
        self._status = status

    def _note_error(self, text: str) -> None:
        self._errors.append(text)
        logs.logger().debug("mcp_server_stderr", server=self._settings.name, text=text)

    def _read(self, message: Any) -> None:
        """Take in a message that answers no request."""
        if getattr(message, "method", "") == _TOOLS_CHANGED:
            self._is_stale = True
            self._news.set()

    def _hopeless(self, error: Exception) -> RunnerError | None:
        """What the session fails by, where no other attempt can help."""
        cause = first_cause(error)
        if isinstance(cause, RunnerError):
            return cause
        if self._status in _REFUSALS:
            msg = f"the MCP server {self._settings.name} refuses access with HTTP {self._status}"
            return AccessRefused(msg, hint="check the `headers` of the server", status=self._status)
        is_start = isinstance(cause, OSError) and not isinstance(cause, ConnectionError | TimeoutError)
        if is_start and isinstance(self._settings.run, StdioServer):
            msg = f"the MCP server {self._settings.name} cannot be started: {reason_of(cause)}"
            return ProfileError(msg, hint=f"is {self._settings.run.argv[0]} installed, and on the path?")
        return None

    def _why(self, error: Exception) -> str:
        """Why there is no connection, with the status where the server has answered with a failure."""
        status = f"HTTP {self._status}: " if self._status >= _FAILURES else ""
        return f"{status}{_reason(error)}"


def _reason(error: Exception) -> str:
    """The first cause in an exception, in few words."""
    return brief(reason_of(first_cause(error)))
