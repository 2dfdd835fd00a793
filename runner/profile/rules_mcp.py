"""Rules about MCP servers; `rules.py` has their codes."""

from collections.abc import Iterator
from typing import Any, Final

from runner.profile.keys import Key, at
from runner.profile.tables import Finding, Tables
from runner.profile.tool_keys import tools_of

_OF_HOSTED: Final = frozenset({"approval"})


def mcp_server_unnamed(tables: Tables) -> Iterator[Finding]:
    """A server without a name."""
    for key, server in _servers(tables):
        if not server.get("name") and at(server, ("run", "kind")) != "file":
            yield (*key, "name"), "is missing", "give the server a name", "table"


def mcp_server_twice(tables: Tables) -> Iterator[Finding]:
    """Two servers with one name, or one with the label of a server in `session.tools`."""
    described = at(tables.tree, ("session", "tools"))
    owners: dict[str, str] = {}
    for each in described if isinstance(described, list) else ():
        if isinstance(each, dict) and each.get("type") == "mcp":
            owners[str(each.get("server_label"))] = "a server of session.tools"
    for key, server in _servers(tables):
        name = server.get("name")
        if isinstance(name, str) and name in owners:
            yield (*key, "name"), f"{owners[name]} has this name already", "give each a name of its own", "value"
        if isinstance(name, str):
            owners.setdefault(name, f"server {int(key[-1]) + 1}")


def mcp_server_limits(tables: Tables) -> Iterator[Finding]:
    """Limits of calls that the endpoint makes, which it does not know."""
    for key, server in _servers(tables):
        if at(server, ("run", "kind")) == "hosted":
            from runner.settings.tool import CallSettings

            ours = {*CallSettings.model_fields, "connect_timeout_s", "shared"} - _OF_HOSTED
            for name in ours & server.keys():
                yield (*key, name), "means nothing where the endpoint calls the server", "remove it", "key"


def _servers(tables: Tables) -> Iterator[tuple[Key, dict[str, Any]]]:
    return (each for each in tools_of(tables.tree) if each[0][0] == "mcp_servers")
