"""The MCP servers that sessions of one process share: one connection, for as long as one of them uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING

import anyio.abc

from runner.connect.changes import Changes
from runner.task_groups import body_task_group
from runner.tools.served_source import Served

if TYPE_CHECKING:
    from runner.settings.mcp_server import McpServerSettings
    from runner.tools.mcp_server_link import McpServerLink


class _HeldServer:
    """A server, and how many sessions use it."""

    def __init__(self, settings: McpServerSettings, server: McpServerLink, changes: Changes) -> None:
        self.settings = settings
        self.server = server
        self.served = Served(server, changes)
        self.users = 0


class SharedServers:
    """Serves each server in one task, whatever becomes of the session that has asked for it first."""

    def __init__(self) -> None:
        self._held: list[_HeldServer] = []
        self._changes = Changes()
        self._context = copy_context()
        self._tasks: anyio.abc.TaskGroup

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Serve until the block ends, which outlives the sessions."""
        async with body_task_group() as self._tasks:
            # What is logged of a server is of no session.
            self._context = copy_context()
            yield

    @asynccontextmanager
    async def held(self, settings: McpServerSettings, server: McpServerLink) -> AsyncIterator[McpServerLink]:
        """Use a server for the length of the block, once it is open.

        Args:
            settings: Its table: sessions share a server where all of it is the same.
            server: Takes its place where no session uses it yet.

        Raises:
            RunnerError: It can never be opened.
        """
        found = next((each for each in self._held if each.settings == settings), None)
        if found is None:
            found = _HeldServer(settings, server, self._changes)
            self._held.append(found)
            self._context.run(self._tasks.start_soon, found.served.serve)
        found.users += 1
        try:
            while not found.served.is_open:
                if found.served.failure:
                    raise found.served.failure
                await self._changes.next()
            yield found.server
        finally:
            found.users -= 1
            if not found.users:
                self._held.remove(found)
                found.served.retire()
