"""MCP servers that the endpoint calls: each is an entry of `session.tools`, with the secrets that it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from runner.tools.tool_source import HOSTED, CallAnswer, OfferedTool

if TYPE_CHECKING:
    from runner.settings.mcp_server import HostedServer, McpServerSettings
    from runner.tools.tool_source import JsonObject


def public_entry(settings: McpServerSettings, run: HostedServer) -> JsonObject:
    """The entry of `session.tools` for a server, without what may be secret."""
    entry: JsonObject = {
        "type": "mcp",
        "server_label": settings.name,
        "server_url": str(run.server_url),
        "require_approval": "never" if settings.approval == "never" else "always",
    }
    if run.description is not None:
        entry["server_description"] = run.description
    if settings.allowed_tools is not None:
        entry["allowed_tools"] = settings.allowed_tools
    return entry


class HostedSource:
    """A server whose tools the endpoint lists and calls."""

    def __init__(self, settings: McpServerSettings, run: HostedServer) -> None:
        self._settings = settings
        self._run = run
        self._entry: JsonObject = {}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Fetch the secrets that the endpoint needs.

        Raises:
            SecretError: A reference leads nowhere.
        """
        from runner.connect import secrets
        from runner.tools.given_texts import request_headers

        entry, run = public_entry(self._settings, self._run), self._run
        if run.authorization is not None:
            entry["authorization"] = await secrets.resolve(run.authorization)
        if run.headers:
            entry["headers"] = await request_headers(run.headers)
        self._entry = entry
        yield

    def tools(self) -> Sequence[OfferedTool]:
        """The server as one entry."""
        name, what = f"{HOSTED}{self._settings.name}", self._run.description or ""
        return [OfferedTool(name, what, {}, self._settings, is_client=True, entry=self._entry)] if self._entry else []

    async def call(self, name: str, arguments: JsonObject) -> CallAnswer:
        """The endpoint runs such calls; one that comes here all the same is told so."""
        return CallAnswer(f"{name} is not run here", is_failed=True)
