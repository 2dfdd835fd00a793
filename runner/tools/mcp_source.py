"""The tools of one MCP server as one session offers them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from runner.tools.mcp_server_link import McpServerLink
from runner.tools.tool_source import CallAnswer, OfferedTool

if TYPE_CHECKING:
    from mcp import Tool

    from runner.settings.mcp_server import McpServerSettings
    from runner.tools.mcp_names import McpNames
    from runner.tools.shared_servers import SharedServers
    from runner.tools.tool_source import JsonObject


class McpSource:
    """The tools of one server, which stay offered while it is lost.

    Args:
        settings: The server.
        names: The names of the tools of all servers.
        shared: The servers that sessions share; without it the session has a connection of its own.
    """

    def __init__(self, settings: McpServerSettings, names: McpNames, shared: SharedServers | None = None) -> None:
        self._settings = settings
        self._names = names
        self._shared = shared
        self._server = McpServerLink(settings)
        self._listed: Sequence[Tool] = ()
        self._offered: list[OfferedTool] = []
        self._edition = 0
        self._own_names: dict[str, str] = {}
        """What the server calls the tools that were ever offered."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Keep a connection to the server; the block begins when its tools are known, or it has had its time.

        Raises:
            RunnerError: The library is not installed, the server's program cannot be started, or what the connection
                needs is not there, such as a secret.
        """
        if self._shared is None:
            async with self._server.serving():
                yield
            return
        async with self._shared.held(self._settings, self._server) as self._server:
            yield

    def tools(self) -> Sequence[OfferedTool]:
        """The tools that the server has listed last."""
        if self._listed is not self._server.listed or self._edition != self._names.edition:
            self._listed, self._offered, self._edition = self._server.listed, [], self._names.edition
            # Names are given when all servers have had their time, so that they do not hang on which was faster.
            for each in self._listed:
                name = self._names.name_of(self._settings.name, each.name)
                schema = {"type": "object", **each.input_schema}
                self._offered.append(OfferedTool(name, each.description or "", schema, self._settings))
                self._own_names[name] = each.name
        return self._offered

    async def call(self, name: str, arguments: JsonObject) -> CallAnswer:
        """Have the server run one call; one that nobody waits for any more runs out."""
        return await self._server.call(self._own_names[name], arguments)
