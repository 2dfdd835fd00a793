"""One item that a response makes, and the events that announce it."""

import copy
from typing import Any

from runner.local.session.identifiers import new_id
from runner.local.session.item_store import ItemStore, StoredItem
from runner.local.session.server_event import ServerEvent, server_event


class OutputItem:
    """An item of a response's output, from its announcement to its end.

    Args:
        fields: What the item is; its id and its status come to it.
        response_id: The response that makes it.
        output_index: Its place in the response's output.
        conversation: The conversation that it belongs to, or None out of band.
    """

    def __init__(
        self, fields: dict[str, Any], *, response_id: str, output_index: int, conversation: ItemStore | None
    ) -> None:
        item = {"id": new_id("item"), "object": "realtime.item", "status": "in_progress", **fields}
        self.stored = StoredItem(item)
        self.is_open = True
        """Whether more of it may come."""
        self._place = {"response_id": response_id, "output_index": output_index}
        self._conversation = conversation
        self._previous_item_id: str | None = None

    @property
    def id(self) -> str:
        """The item's id."""
        return self.stored.id

    def announce(self) -> list[ServerEvent]:
        """The item begins; returns the events that say so."""
        if self._conversation:
            self._previous_item_id = self._conversation.insert(self.stored)
        return [self.event("response.output_item.added", item=self.view()), *self._placed("conversation.item.added")]

    def end(self, *, is_whole: bool) -> list[ServerEvent]:
        """The item is over, complete or not; returns its last events."""
        self.is_open = False
        self.stored.item["status"] = "completed" if is_whole else "incomplete"
        return [*self._placed("conversation.item.done"), self.event("response.output_item.done", item=self.view())]

    def view(self) -> dict[str, Any]:
        """The item as the API shows it now."""
        return copy.deepcopy(self.stored.item)

    def event(self, kind: str, **fields: Any) -> ServerEvent:
        """An event of the response about this item."""
        return server_event(kind, **self._place, **fields)

    def _placed(self, kind: str) -> list[ServerEvent]:
        if not self._conversation:
            return []
        return [server_event(kind, previous_item_id=self._previous_item_id, item=self.view())]
