"""The calls of functions in a conversation, and which output answers which call."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runner.protocol.item import Item


@dataclass(eq=False, slots=True)
class MadeCall:
    """A call of a function, with the output that answers it once there is one."""

    items: list[Item]
    """The items that are this call, of which there are several where the endpoint names it otherwise at its end."""
    output: Item | None = None

    def is_also(self, item: Item) -> bool:
        """Whether another item of the same response, with the same `call_id`, is this very call."""
        texts = {each.text for each in (*self.items, item)} - {""}
        return bool(item.response_id) and item.response_id == self.items[0].response_id and len(texts) <= 1


def made_calls(items: Iterable[Item]) -> Iterator[MadeCall]:
    """The calls among these items, the first one first.

    An endpoint may use a `call_id` again, so an output answers the oldest call before it that has its id and no output.
    """
    found: list[MadeCall] = []
    waiting: dict[str, list[MadeCall]] = {}
    for item in items:
        calls = waiting.setdefault(item.call_id, [])
        if item.type == "function_call":
            same = next((each for each in calls if item.call_id and each.is_also(item)), None)
            if same:
                same.items.append(item)
            else:
                calls.append(MadeCall([item]))
                found.append(calls[-1])
        elif item.type == "function_call_output" and item.call_id and calls:
            calls.pop(0).output = item
    yield from found
