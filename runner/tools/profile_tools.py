"""The tools that a profile declares, each as a source of one tool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from runner.settings.mcp_server import HostedServer
from runner.settings.tool import ClientRun, CommandRun, HttpRun, PythonRun
from runner.tools.tool_source import CallAnswer, OfferedTool

if TYPE_CHECKING:
    from runner.settings.profile import Profile
    from runner.settings.tool import ToolSettings
    from runner.tools.tool_source import JsonObject, ToolSource

MakeSources: TypeAlias = "Callable[[Profile], list[ToolSource]]"
"""Makes the sources of the tools that a profile declares."""


def profile_sources(profile: Profile) -> list[ToolSource]:
    """The sources of all tools that a profile declares; each kind is imported where one is of it."""
    sources = [_source(each) for each in profile.tools]
    if profile.mcp_servers:
        sources += _servers(profile)
    return sources


def _servers(profile: Profile) -> list[ToolSource]:
    from runner.settings.profile import RealtimeSettings
    from runner.settings.tool import END_SESSION
    from runner.tools.hosted_server import HostedSource
    from runner.tools.mcp_names import McpNames
    from runner.tools.mcp_source import McpSource

    described = (profile.session.tools if isinstance(profile.session, RealtimeSettings) else None) or []
    by_hand = {each.name for each in described if each.type == "function"}
    names = McpNames({END_SESSION, *by_hand, *(each.name for each in profile.tools)})
    return [
        HostedSource(each, each.run) if isinstance(each.run, HostedServer) else McpSource(each, names)
        for each in profile.mcp_servers
    ]


def _source(settings: ToolSettings) -> ToolSource:
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
        """Never asked for: the toolbox does not run such calls."""
        raise NotImplementedError(name)
