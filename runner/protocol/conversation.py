"""The conversation as the endpoint holds it, in text."""

from dataclasses import dataclass, field
from typing import Literal

from runner.protocol.fields import BadField, JsonObject, optional_text, tables, text

MAX_ITEMS = 4096
"""How many items are remembered; the oldest are forgotten first."""

_MAX_CONTENT_INDEX = 1024


@dataclass(slots=True)
class Item:
    """One item of the conversation, with the text of its content parts."""

    id: str
    type: str
    role: str
    parts: dict[int, list[str]] = field(default_factory=dict)
    """Text or transcript by content index, in the pieces in which it came."""
    status: Literal["in_progress", "completed", "incomplete"] = "in_progress"
    told: bool = False
    """Whether the end of this turn was already reported."""

    @property
    def text(self) -> str:
        """The whole item's text, its parts in order."""
        return "".join(piece for index in sorted(self.parts) for piece in self.parts[index])


def _parts(item: JsonObject) -> dict[int, str]:
    if item.get("type") in {"function_call", "function_call_output"}:
        return {0: optional_text(item, "arguments") or optional_text(item, "output")}
    parts = {
        index: optional_text(part, "text") or optional_text(part, "transcript")
        for index, part in enumerate(tables(item, "content"))
    }
    return {index: each for index, each in parts.items() if each}


class Conversation:
    """The items in the order in which the endpoint placed them."""

    def __init__(self) -> None:
        self.by_id: dict[str, Item] = {}
        """The items by their ids; to be read only."""
        self._order: list[str] = []

    def __len__(self) -> int:
        return len(self._order)

    def get(self, item_id: str) -> Item | None:
        """The item with this id, or None."""
        return self.by_id.get(item_id)

    @property
    def items(self) -> tuple[Item, ...]:
        """All items, first to last."""
        return tuple(self.by_id[each] for each in self._order)

    def put(self, item: JsonObject, previous_item_id: str | None = None) -> Item:
        """Take in an item as an event describes it, new or known; raises `BadField` where it has no id."""
        item_id, kind, role = text(item, "id"), optional_text(item, "type"), optional_text(item, "role")
        parts, status = _parts(item), item.get("status")
        known = self.by_id.get(item_id)
        if known is None:
            self._place(item_id, previous_item_id)
            known = self.by_id[item_id] = Item(item_id, kind, role)
        known.parts.update((index, [each]) for index, each in parts.items())
        match status:
            case "completed" | "incomplete":
                known.status = status
        return known

    def append(self, item_id: str, content_index: int, delta: str, *, whole: bool = False) -> None:
        """Add a piece of text to a part of an item, or replace the part by its `whole` text.

        A piece of an item that was never announced makes the item, since the announcement may have been lost.
        """
        if content_index > _MAX_CONTENT_INDEX:
            raise BadField("content_index", f"at most {_MAX_CONTENT_INDEX}")
        item = self.by_id.get(item_id) or self.put({"id": item_id, "type": "message", "role": "assistant"})
        if whole:
            item.parts[content_index] = [delta]
        else:
            item.parts.setdefault(content_index, []).append(delta)

    def remove(self, item_id: str) -> None:
        """Forget an item; unknown ids are ignored."""
        if self.by_id.pop(item_id, None) is not None:
            self._order.remove(item_id)

    def _place(self, item_id: str, previous_item_id: str | None) -> None:
        if previous_item_id in self.by_id:
            self._order.insert(self._order.index(previous_item_id) + 1, item_id)
        else:
            self._order.append(item_id)
        if len(self._order) > MAX_ITEMS:
            del self.by_id[self._order.pop(0)]
