"""What endpoints say of MCP servers is read in whatever order it comes, and reported once."""

from typing import Any

import pytest

from runner.protocol.effects import Effect
from runner.protocol.hosted_servers import HostedServers
from runner.protocol.server_effects import ServerCalled, ServerListed

CALL = {"id": "c", "type": "mcp_call", "server_label": "s", "name": "n", "arguments": "{}"}
LIST = {"id": "l", "type": "mcp_list_tools", "server_label": "s", "tools": []}
ERROR = {"type": "http_error", "code": 500, "message": "broken\nin two"}


@pytest.mark.parametrize(
    ("steps", "reported"),
    [
        ([LIST, (LIST | {"tools": [1, 2]}, True), (LIST, True)], [ServerListed("s", 2, "")]),
        ([LIST, "l", "l"], [ServerListed("s", 0, "no reason given")]),
        (["l"], [ServerListed("", 0, "no reason given")]),
        ([CALL, (CALL | {"output": "o"}, True), "c"], [ServerCalled("c", "s", "n", "{}", "o", "")]),
        ([CALL, "c", (CALL | {"error": ERROR}, True)], [ServerCalled("c", "s", "n", "{}", "", "broken in two")]),
        ([CALL, (CALL | {"error": ERROR}, True), "c"], [ServerCalled("c", "s", "n", "{}", "", "broken in two")]),
        ([(CALL, True)], []),
        ([5, {"type": "message", "id": "m"}, {"type": "mcp_new"}, {"type": 7}], []),
    ],
)
def test_every_ending_is_reported_once(steps: list[Any], reported: list[Effect]) -> None:
    """A step is an item, one of which nothing more comes, or the id of one that failed."""
    servers = HostedServers()
    found: list[Effect] = []
    for step in steps:
        if isinstance(step, str):
            found += servers.fail(step)
        else:
            item, is_over = step if isinstance(step, tuple) else (step, False)
            found += servers.take(item, is_over=is_over)

    assert found == reported
