"""What the endpoint has done with MCP servers."""

from typing import NamedTuple, final


@final
class ServerListed(NamedTuple):
    """The endpoint has listed the tools of an MCP server, or failed to."""

    server: str
    """Its label; nothing where it is not known."""
    tools: int
    error: str
    """Why it was not listed; nothing where it was."""


@final
class ServerCalled(NamedTuple):
    """The endpoint has called a tool of an MCP server."""

    item_id: str
    server: str
    name: str
    arguments: str
    output: str
    error: str
    """Why the call has failed; nothing where it has not."""


ServerEffect = ServerListed | ServerCalled
