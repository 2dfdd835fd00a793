"""The MCP servers of a session as the local endpoint lists them: by its script, without asking any."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from runner.local.session.identifiers import new_id
from runner.local.session.item_store import ItemStore, StoredItem
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.speech.replies import Replies

_NOWHERE = ".invalid"
"""The end of the hosts that lead nowhere, whose servers cannot be listed (RFC 2606)."""


class ServerListing:
    """Lists the tools of each server once.

    Args:
        conversation: Where the lists stand.
        replies: The script, which knows the tools by the calls in it.
    """

    def __init__(self, conversation: ItemStore, replies: Replies) -> None:
        self._conversation = conversation
        self._replies = replies
        self._listed: set[str] = set()

    def announce(self, tools: Iterable[Mapping[str, Any]]) -> list[ServerEvent]:
        """List the servers among the session's tools that are new; returns the events."""
        new = [each for each in tools if each["type"] == "mcp" and each["server_label"] not in self._listed]
        self._listed.update(each["server_label"] for each in new)
        return [event for each in new for event in self._list(each)]

    def _list(self, server: Mapping[str, Any]) -> list[ServerEvent]:
        label = server["server_label"]
        item = {"id": new_id("mcpl"), "type": "mcp_list_tools", "server_label": label, "tools": []}
        stored = StoredItem(item)
        before = self._conversation.insert(stored)
        added = server_event("conversation.item.added", previous_item_id=before, item=dict(item))
        begun = server_event("mcp_list_tools.in_progress", item_id=item["id"])
        if (urlsplit(server.get("server_url") or "").hostname or "").endswith(_NOWHERE):
            return [added, begun, server_event("mcp_list_tools.failed", item_id=item["id"])]
        allowed = server.get("allowed_tools")
        names = self._replies.tools_of(label)
        item["tools"] = [
            {"name": name, "input_schema": {"type": "object"}}
            for name in names
            if not isinstance(allowed, list) or name in allowed
        ]
        done = server_event("conversation.item.done", previous_item_id=before, item=item)
        return [added, begun, server_event("mcp_list_tools.completed", item_id=item["id"]), done]
