"""Server events about MCP servers, which the endpoint lists and calls."""

from collections.abc import Callable

from runner.protocol.effects import Effect
from runner.protocol.json_fields import JsonObject
from runner.protocol.state import SessionState

Route = Callable[[SessionState, JsonObject], list[Effect]]

ITEM_EVENTS = (
    "conversation.item.added",
    "conversation.item.done",
    "response.output_item.added",
    "response.output_item.done",
)
"""The events whose item may be about a server."""


def following(route: Route) -> Route:
    """The same function, which also follows what its event says of servers."""

    def followed(state: SessionState, event: JsonObject) -> list[Effect]:
        effects = route(state, event)
        found = state.hosted.take(event.get("item"), is_over=event["type"].endswith(".done"))
        return [*effects, *found] if found else effects

    return followed


def _failed(state: SessionState, event: JsonObject) -> list[Effect]:
    return state.hosted.fail(str(event.get("item_id")))


SERVER_ROUTES = {"mcp_list_tools.failed": _failed, "response.mcp_call.failed": _failed}
"""The events of servers that failed; what has become of others stands in their items."""
