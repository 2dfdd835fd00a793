"""The MCP servers that the endpoint lists and calls, and what comes of it."""

from __future__ import annotations

from typing import Any, Final

from runner.protocol.effects import Effect
from runner.protocol.json_fields import JsonObject
from runner.protocol.server_effects import ServerCalled, ServerListed
from runner.protocol.severity import brief

_MOST: Final = 1024
"""So many items about servers are remembered; the oldest are forgotten."""
_CALL: Final = "mcp_call"
_LIST: Final = "mcp_list_tools"


class HostedServers:
    """What the endpoint does with servers, item by item; each ending is reported once."""

    def __init__(self) -> None:
        self._items: dict[str, JsonObject] = {}
        self._reported: dict[str, None] = {}

    def take(self, item: object, *, is_over: bool) -> list[Effect]:
        """Take in an item as an event has it; `is_over` says whether nothing more comes of it."""
        if not isinstance(item, dict) or item.get("type") not in (_CALL, _LIST):
            return []
        item_id = str(item.get("id"))
        known = self._items[item_id] = {**self._items.get(item_id, {}), **item}
        _bound(self._items)
        is_result = known["type"] == _LIST or known.get("error") or known.get("output") is not None
        return self._report(item_id) if is_over and is_result else []

    def fail(self, item_id: str) -> list[Effect]:
        """A list or a call has failed; an item that says why may still follow."""
        known = self._items.setdefault(item_id, {"id": item_id, "type": _LIST})
        if known["type"] == _CALL and not known.get("error"):
            known["error"] = {}
            return []
        known["error"] = known.get("error") or {}
        return self._report(item_id)

    def _report(self, item_id: str) -> list[Effect]:
        known = self._items[item_id]
        if item_id in self._reported:
            return []
        self._reported[item_id] = None
        _bound(self._reported)
        error = known.get("error")
        reason = "" if error is None else _reason(error)
        if known["type"] == _LIST:
            tools = known.get("tools")
            return [ServerListed(_text(known, "server_label"), len(tools) if isinstance(tools, list) else 0, reason)]
        server, name = _text(known, "server_label"), _text(known, "name")
        return [ServerCalled(item_id, server, name, _text(known, "arguments"), _text(known, "output"), reason)]


def _text(known: JsonObject, key: str) -> str:
    value = known.get(key)
    return value if isinstance(value, str) else ""


def _reason(error: object) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return brief(str(message)) if message else "no reason given"


def _bound(remembered: dict[str, Any]) -> None:
    while len(remembered) > _MOST:
        del remembered[next(iter(remembered))]
