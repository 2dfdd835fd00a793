"""When the user hears which audio: the clock of audio that is played as soon as it can be, without any I/O."""

from dataclasses import dataclass, field
from typing import NamedTuple

INTERRUPTION = "interruption_"
"""The prefix of the ids of client events that an interruption brings about; an error that answers one is ignored."""

MAX_ITEMS = 4096
"""How many items are remembered; the oldest are forgotten first."""

_MAX_SPANS = 32


class Heard(NamedTuple):
    """How much of an item was heard when the playing was stopped."""

    item_id: str
    heard_ms: float
    received_ms: float


@dataclass(slots=True)
class _Item:
    """Where the pieces of an item lie in time: starts and ends in seconds, in order and joined where they touch."""

    received_ms: float = 0.0
    spans: list[tuple[float, float]] = field(default_factory=list)
    past_ms: float = 0.0
    """The length of spans that were forgotten, in milliseconds."""

    def add(self, start_s: float, end_s: float, now_s: float) -> None:
        if self.spans and self.spans[-1][1] == start_s:
            self.spans[-1] = (self.spans[-1][0], end_s)
            return
        # An answer of which every piece is late has a gap before each; what was heard long ago is only a sum.
        if len(self.spans) >= _MAX_SPANS and self.spans[0][1] <= now_s:
            start, end = self.spans.pop(0)
            self.past_ms += (end - start) * 1000
        self.spans.append((start_s, end_s))

    def heard_ms(self, now_s: float) -> float:
        played_s = sum(min(end, now_s) - start for start, end in self.spans if start < now_s)
        return min(self.received_ms, self.past_ms + played_s * 1000)


class Playout:
    """The audio of items one after another, as a user hears it: each piece when it comes, or after those before it.

    All times are in seconds of any one clock, which the caller reads.

    Attributes:
        end_s: When everything received so far will have been heard.
    """

    def __init__(self) -> None:
        self.end_s = float("-inf")
        self._items: dict[str, _Item] = {}

    def put(self, item_id: str, duration_ms: float, now_s: float) -> float:
        """Play a piece of an item after what waits already; returns when it starts, in seconds."""
        start_s = max(now_s, self.end_s)
        self.end_s = start_s + duration_ms / 1000
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = _Item()
            if len(self._items) > MAX_ITEMS:
                del self._items[next(iter(self._items))]
        item.add(start_s, self.end_s, now_s)
        item.received_ms += duration_ms
        return start_s

    def heard_ms(self, item_id: str, now_s: float) -> float:
        """How much of an item was heard by now, in milliseconds; 0 of one that is not known."""
        item = self._items.get(item_id)
        return item.heard_ms(now_s) if item else 0.0

    def time_of(self, item_id: str, heard_ms: float) -> float | None:
        """When so much of an item has been heard, in seconds; None of an item that is not known or long over."""
        item = self._items.get(item_id)
        if item is None:
            return None
        left_s = (heard_ms - item.past_ms) / 1000
        for start, end in item.spans:
            if left_s <= end - start:
                return start + max(0.0, left_s)
            left_s -= end - start
        return item.spans[-1][1]

    def stop(self, now_s: float) -> list[Heard]:
        """Play nothing more; returns what was heard of every item that was not heard to its end."""
        heard = [Heard(item_id, item.heard_ms(now_s), item.received_ms) for item_id, item in self._items.items()]
        self._items.clear()
        self.end_s = min(self.end_s, now_s)
        return [each for each in heard if each.heard_ms < each.received_ms]

    def forget(self, item_id: str) -> None:
        """Forget an item; later questions about it get the answer of an unknown one."""
        self._items.pop(item_id, None)
