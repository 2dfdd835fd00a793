"""The tools that a profile declares, each as a source of one tool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from runner.settings.mcp_server import HostedServer
from runner.settings.tool import ClientRun, CommandRun, HttpRun, PythonRun, ToolSettings
from runner.settings.tool_use import END_SESSION
from runner.tools.tool_source import CallAnswer, OfferedTool

if TYPE_CHECKING:
    from runner.settings.mcp_server import McpServerSettings
    from runner.settings.profile import Profile
    from runner.settings.tool import CallSettings
    from runner.tools.mcp_names import McpNames
    from runner.tools.shared_servers import SharedServers
    from runner.tools.tool_source import JsonObject, ToolSource

MakeSources: TypeAlias = "Callable[[Profile], list[ToolSource]]"
"""Makes the sources of the tools that a profile declares."""


class DeclaredSources:
    """The sources of all tools that a profile declares; each kind is imported where one is of it.

    Args:
        profile: The profile.
        before: Those of the profile before it: a table that is the same keeps its source, and names of tools stay.
        shared: The MCP servers that sessions share, None where there is only one session.

    Attributes:
        by_table: Each source with its table.
        names: The names of the tools of MCP servers, None where there is no server.
    """

    def __init__(
        self, profile: Profile, before: DeclaredSources | None = None, shared: SharedServers | None = None
    ) -> None:
        self._shared = shared
        self.names: McpNames | None = before.names if before else None
        self._taken = _taken_names(profile)
        known = before.by_table if before else []
        if profile.mcp_servers and self.names is None:
            from runner.tools.mcp_names import McpNames

            self.names = McpNames(self._taken)
        self.by_table: list[tuple[CallSettings, ToolSource]] = []
        tables: list[ToolSettings | McpServerSettings] = [*profile.tools, *profile.mcp_servers]
        for table in tables:
            source = next((source for same, source in known if same == table), None)
            self.by_table.append((table, source or self._made(table)))

    @property
    def sources(self) -> list[ToolSource]:
        """The sources, in the order of their tables."""
        return [source for _, source in self.by_table]

    def reserve_names(self) -> None:
        """Have no tool of an MCP server offered under a name that another tool of the profile has."""
        if self.names is not None:
            self.names.reserve(self._taken)

    def _made(self, table: ToolSettings | McpServerSettings) -> ToolSource:
        if isinstance(table, ToolSettings):
            return declared_source(table)
        assert self.names is not None  # noqa: S101  # it is made where there is a server
        return _server(table, self.names, self._shared if table.shared else None)


def profile_sources(profile: Profile) -> list[ToolSource]:
    """The sources of all tools that a profile declares."""
    return DeclaredSources(profile).sources


def _taken_names(profile: Profile) -> set[str]:
    """The names that no tool of an MCP server is offered under."""
    described = getattr(profile.session, "tools", None) or ()
    by_hand = {each.name for each in described if each.type == "function"}
    return {END_SESSION, *by_hand, *(each.name for each in profile.tools)}


def _server(settings: McpServerSettings, names: McpNames, shared: SharedServers | None) -> ToolSource:
    if isinstance(settings.run, HostedServer):
        from runner.tools.hosted_server import HostedSource

        return HostedSource(settings, settings.run)
    from runner.tools.mcp_source import McpSource

    return McpSource(settings, names, shared)


def declared_source(settings: ToolSettings) -> ToolSource:
    """The source of one tool."""
    match settings.run:
        case CommandRun() as run:
            from runner.tools.command_tool import CommandTool

            return CommandTool(settings, run)
        case HttpRun() as run:
            from runner.tools.http_tool import HttpTool

            return HttpTool(settings, run)
        case PythonRun() as run:
            from runner.tools.python_tool import PythonTool

            return PythonTool(settings, run)
        case ClientRun():
            return ClientTool(settings)


class ClientTool:
    """A tool whose calls are answered by whoever uses the session."""

    def __init__(self, settings: ToolSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Nothing needs to be open."""
        yield

    def tools(self) -> Sequence[OfferedTool]:
        """The one tool."""
        return [OfferedTool.declared(self._settings, is_client=True)]

    async def call(self, name: str, arguments: JsonObject) -> CallAnswer:
        """Such calls are answered by the output, or by the program; one that comes here all the same is told so."""
        return CallAnswer(f"{name} is not run here", is_failed=True)
