"""The conversation of a session, in text: the items that the endpoint holds, and a next connection has to get."""

from collections.abc import Container, Iterator, Sequence

from runner.protocol.effects import Effect, TurnEnded
from runner.protocol.item import Item, SnapshotPieces, is_snapshots, read_item
from runner.protocol.json_fields import BadField, JsonObject
from runner.protocol.made_calls import MadeCall, made_calls
from runner.protocol.side_fields import SideFields

MAX_ITEMS = 4096
"""How many items are remembered; the oldest are forgotten first."""

_ROOT = "root"


class Conversation:
    """The items in the order in which the endpoint placed them; one for all connections of a session.

    Args:
        side: Reads the side fields of items.
    """

    def __init__(self, side: SideFields | None = None) -> None:
        self._side = side or SideFields()
        self.by_id: dict[str, Item] = {}
        """The items by their ids; to be read only."""
        self.confirms: bool | None = None
        """Whether the endpoint confirms the items that the client creates, as the API says; None while nobody knows."""
        self.sends_snapshots = False
        """Whether a whole text has shown that the pieces of this endpoint repeat what came before."""
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

    @property
    def ids(self) -> list[str]:
        """The ids of all items, first to last."""
        return self._order.copy()

    def unconfirmed(self, event_ids: Container[str]) -> int:
        """How many of the items that these client events create are still to be confirmed or refused."""
        return sum(item.asked_by in event_ids for item in self.by_id.values())

    def first_unconfirmed(self, event_ids: Container[str]) -> str:
        """Which of these client events creates the oldest item that is to be confirmed yet, nothing where none does."""
        unconfirmed = (item.asked_by for item in self.by_id.values() if item.asked_by in event_ids and not item.leaving)
        return next(unconfirmed, "")

    def unconfirmed_turns(self, event_ids: Container[str]) -> list[Effect]:
        """The ends of the user's turns that these client events create and the endpoint has not confirmed."""
        if not self.first_unconfirmed(event_ids):
            return []
        self.confirms = False
        waiting = [item for item in self.items if item.asked_by in event_ids and not item.leaving]
        return [effect for item in waiting if item.role == "user" for effect in self.end_turn(item)]

    def of_responses(self, response_ids: Container[str]) -> list[Item]:
        """The items that these responses have made so far."""
        return [item for item in self.items if item.response_id and item.response_id in response_ids]

    @property
    def last_words(self) -> str:
        """What the user has said last, as far as it is known in words."""
        return next((item.text for item in reversed(self.items) if item.role == "user"), "")

    @property
    def unanswered_calls(self) -> list[Item]:
        """The calls of functions that responses have made and nobody has given the output of."""
        open_calls = [each.items[-1] for each in made_calls(self.items) if each.output is None]
        return [each for each in open_calls if each.status == "completed" and (each.response_id or each.is_announced)]

    def output_of(self, call: Item) -> Item | None:
        """The output that answers this call, None where there is none; it stands behind the call."""
        for name in reversed(self._order):
            item = self.by_id[name]
            if item is call:
                return None
            if item.type == "function_call_output" and item.call_id == call.call_id:
                break
        return next((each.output for each in self._calls_named(call.call_id) if call in each.items), None)

    def call_of(self, output: Item) -> Item | None:
        """The call that this output answers, None where it is not known."""
        return next((each.items[-1] for each in self._calls_named(output.call_id) if each.output is output), None)

    def _calls_named(self, call_id: str) -> Iterator[MadeCall]:
        """The calls that have this `call_id`: no other item says anything of them."""
        return made_calls([item for item in self.items if item.call_id == call_id])

    def is_silent(self, response_id: str) -> bool:
        """Whether nothing has come yet of what a response says."""
        return not any(item.text or item.audio_characters for item in self.of_responses({response_id}))

    def is_void(self, response_id: str) -> bool:
        """Whether a response has made nothing: no words, no audio, and no call of a tool that is whole."""
        return not any(item.is_something for item in self.of_responses({response_id}))

    def ends_with_words(self, *, but: Container[Item]) -> bool:
        """Whether the last turn but these is the user's and its words are known, so that it can be answered anew."""
        last = next((item for item in reversed(self.items) if item.type == "message" and item not in but), None)
        return last is not None and last.role == "user" and bool(last.text)

    def put(self, item: JsonObject, previous_item_id: str | None = None) -> Item:
        """Take in an item as an event describes it, new or known; raises `BadField` where it has no id."""
        read = read_item(item, self._side)
        known = self.by_id.get(read.id) or self._own(read)
        if known is None:
            return self._add(read, previous_item_id)
        if known.asked_by and self._precedes(known.id, previous_item_id):
            self._order.remove(known.id)
            self._place(known.id, previous_item_id)
        self.confirms = True if known.asked_by else self.confirms
        known.asked_by = known.asked_by if known.leaving else ""
        known.take_whole(read)
        known.call_id, known.name = read.call_id or known.call_id, read.name or known.name
        known.server, known.phase = read.server or known.server, read.phase or known.phase
        # A turn that was reported as incomplete stays so, also when a later connection gets it completed.
        if read.status != "in_progress" and not known.is_announced:
            known.status = read.status
        return known

    def expect(self, item: JsonObject, previous_item_id: str | None, asked_by: str) -> None:
        """Take in an item that the client creates and the endpoint has still to confirm or to refuse.

        An item without an id is the endpoint's to refuse. Of one that an earlier connection knew, only the text that
        the client sends now remains.
        """
        try:
            read = read_item(item, SideFields())
        except BadField:
            return
        known = self.by_id.get(read.id)
        if known is None:
            known = self._add(read, previous_item_id)
        else:
            known.parts, known.wholes = {}, read.wholes
            if known.heard_ms is not None:
                known.heard_ms, known.audio_characters = None, 0
        known.asked_by = asked_by

    def refuse(self, asked_by: str) -> None:
        """The endpoint refuses what this client event asked for: to create an item, or to remove one."""
        for item in [each for each in self.by_id.values() if each.asked_by == asked_by]:
            item.asked_by = ""
            if item.leaving:
                item.leaving = False
            else:
                self.remove(item.id)

    def leave(self, item_id: object, asked_by: str) -> None:
        """The client has asked for an item's removal: no later connection gets it."""
        item = self.by_id.get(item_id) if isinstance(item_id, str) else None
        if item:
            item.leaving, item.asked_by = True, asked_by

    def break_off(self, response_ids: Container[str], event_ids: Container[str]) -> None:
        """A connection is over.

        Args:
            response_ids: Responses that will be requested again: their items are forgotten.
            event_ids: The client events of the connection: the items whose removal they asked for are gone with it.
        """
        gone = [item for item in self.items if item.leaving and item.asked_by in event_ids]
        for item in [*self.of_responses(response_ids), *gone]:
            self.remove(item.id)

    def restore(self, item: Item) -> None:
        """Take in an item that was written down, behind all others."""
        self._add(item, None)

    def append(self, item_id: str, content_index: int, piece: str) -> tuple[Item, str]:
        """Add a piece of text to a part of an item; returns the item, and what of the piece is new.

        A piece of an item that was never announced makes the item, since the announcement may have been lost.
        """
        item = self.message(item_id)
        pieces = item.parts.get(content_index)
        if pieces is None:
            pieces = item.parts[content_index] = SnapshotPieces() if self.sends_snapshots else []
        return item, pieces.add(piece) if isinstance(pieces, SnapshotPieces) else _added(pieces, piece)

    def message(self, item_id: str, role: str = "assistant") -> Item:
        """The item with this id, a new message where there is none."""
        return self.by_id.get(item_id) or self.put({"id": item_id, "type": "message", "role": role})

    def end_turn(self, item: Item, logprobs: Sequence[JsonObject] = ()) -> list[Effect]:
        """The end of a turn, reported once; none of an item without words.

        What its pieces have left out, or said otherwise, comes right before it.
        """
        if item.is_announced or item.type != "message" or not item.text:
            return []
        item.is_announced = True
        if item.status == "in_progress":
            item.status = "completed"
        corrections = item.corrections()
        item.end()
        self.sends_snapshots = self.sends_snapshots or is_snapshots(corrections)
        return [
            *corrections,
            TurnEnded(item.role, item.text, item.id, item.status, logprobs, item.languages, item.phase),
        ]

    def name(self, item: Item, name: str) -> None:
        """The endpoint names an item that had none: what it says about this name is about the item."""
        item.name_at_end = name
        self.by_id[name] = item

    def rename(self, item: Item) -> None:
        """Give an item that is over a name of its own: the endpoint uses its id for another one."""
        name = f"{item.id}_{len(self._order)}"
        while name in self.by_id:
            name += "_"
        self._order[self._order.index(item.id)] = name
        self._forget(item)
        self.by_id[name] = item
        item.id, item.name_at_end = name, ""

    def remove(self, item_id: str) -> None:
        """Forget an item; unknown ids are ignored."""
        item = self.by_id.get(item_id)
        if item is not None:
            self._order.remove(item.id)
            self._forget(item)

    def _forget(self, item: Item) -> None:
        del self.by_id[item.id]
        if item.name_at_end:
            self.by_id.pop(item.name_at_end, None)

    def _own(self, read: Item) -> Item | None:
        """The item of the client that the endpoint has just confirmed under another id, if it did that."""
        if not (read.text or read.call_id):
            # Without words, every audio or image looks the same.
            return None
        sign = read.type, read.role, read.call_id, read.text
        for own in self.by_id.values():
            if own.asked_by and not own.leaving and (own.type, own.role, own.call_id, own.text) == sign:
                self._order[self._order.index(own.id)] = read.id
                del self.by_id[own.id]
                own.id = read.id
                self.by_id[read.id] = own
                return own
        return None

    def _precedes(self, item_id: str, previous_item_id: str | None) -> bool:
        """Whether an item stands before the one that it follows at the endpoint."""
        if previous_item_id not in self.by_id:
            return False
        return self._order.index(item_id) < self._order.index(previous_item_id)

    def _add(self, item: Item, previous_item_id: str | None) -> Item:
        self.by_id[item.id] = item
        self._place(item.id, previous_item_id)
        if len(self._order) > MAX_ITEMS:
            self._forget(self.by_id[self._order.pop(0)])
        return item

    def _place(self, item_id: str, previous_item_id: str | None) -> None:
        if previous_item_id == _ROOT:
            self._order.insert(0, item_id)
        elif previous_item_id in self._order:
            self._order.insert(self._order.index(previous_item_id) + 1, item_id)
        else:
            self._order.append(item_id)


def _added(pieces: list[str], piece: str) -> str:
    pieces.append(piece)
    return piece
