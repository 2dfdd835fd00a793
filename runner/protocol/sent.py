"""The client events of one connection, by the ids under which the endpoint names them in an error."""

from collections import OrderedDict
from itertools import count
from secrets import token_hex

from runner.protocol.json_fields import JsonObject

_REMEMBERED_EVENTS = 1024


class Sent:
    """What was sent, the newest events at least.

    Args:
        before: What was sent on the session's connection before this one. Their numbers go on, so that an id means
            one event only though connections overlap.
    """

    def __init__(self, before: "Sent | None" = None) -> None:
        self.numbers: count[int] = before.numbers if before else count(1)
        """The numbers of the events whose ids this side makes."""
        self.awaited: set[str] = before.awaited if before else set()
        """The events of which somebody waits for the endpoint's word, and is told if it refuses them."""
        self._kinds: OrderedDict[str, str] = OrderedDict()

    def __contains__(self, event_id: object) -> bool:
        return event_id in self._kinds

    def identified(self, event: JsonObject) -> JsonObject:
        """The client event with an `event_id`, its own or a new one.

        An item that it creates gets an id too, under which every connection of the session knows the item.
        """
        item = event.get("item")
        if event.get("type") == "conversation.item.create" and isinstance(item, dict) and not item.get("id"):
            event = {**event, "item": {**item, "id": f"item_{token_hex(10)}"}}
        if isinstance(event.get("event_id"), str) and event["event_id"]:
            return event
        return {**event, "event_id": self.new_id()}

    def new_id(self) -> str:
        """An id that no event of the session has."""
        return f"event_{next(self.numbers):06d}"

    def note(self, event: JsonObject) -> None:
        """The client sends an identified event."""
        self._kinds[event["event_id"]] = event["type"]
        if len(self._kinds) > _REMEMBERED_EVENTS:
            self._kinds.popitem(last=False)

    def has(self, kind: str) -> bool:
        """Whether the client has sent an event of this type lately."""
        return kind in self._kinds.values()

    def cause(self, error: object) -> tuple[str, str]:
        """The id and the type of the client event that an `error` object names, empty where it names none."""
        event_id = error.get("event_id") if isinstance(error, dict) else None
        return (event_id, self._kinds.get(event_id, "")) if isinstance(event_id, str) else ("", "")
