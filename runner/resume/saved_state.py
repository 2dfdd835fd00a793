"""What a state file says by its end: all changes laid over each other."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import time
from typing import Final
from zlib import crc32

from pydantic_core import PydanticSerializationError

from runner.protocol.json_text import dumps
from runner.resume.state_model import (
    CallProgress,
    SavedCounts,
    SavedItem,
    SavedWork,
    StateChange,
    StateHeader,
    StateRecord,
    readable,
)

_SUM: Final = b',"crc":"'
"""What stands between all that a line says and its checksum."""


@dataclass(slots=True)
class SavedState:
    """How far a session is, as it is written down."""

    header: StateHeader
    at_s: float = 0.0
    """When something was written last, in Unix seconds."""
    starts: int = 0
    session_id: str = ""
    items: dict[str, SavedItem] = field(default_factory=dict)
    work: SavedWork = field(default_factory=SavedWork)
    calls: dict[str, CallProgress] = field(default_factory=dict)
    usage: dict[str, dict[str, int | float]] = field(default_factory=dict)
    counts: SavedCounts = field(default_factory=SavedCounts)
    is_greeted: bool = False
    over: str = ""

    def take(self, change: StateChange) -> None:
        """Lay a change over what was known."""
        self.at_s = change.at_s
        for item_id in change.gone:
            self.items.pop(item_id, None)
        self.items.update((each.id, each) for each in change.items)
        if change.order is not None:
            self.items = {each: self.items[each] for each in change.order if each in self.items}
        for call_id, progress in change.calls.items():
            if progress is None:
                self.calls.pop(call_id, None)
            else:
                self.calls[call_id] = progress
        for name in ("starts", "session_id", "work", "usage", "counts", "is_greeted", "over"):
            if (value := getattr(change, name)) is not None:
                setattr(self, name, value)

    def whole(self) -> StateChange:
        """All of it as one change."""
        return StateChange(
            at_s=self.at_s or time(),
            starts=self.starts,
            session_id=self.session_id,
            items=tuple(self.items.values()),
            work=self.work,
            calls=dict(self.calls),
            usage=self.usage,
            counts=self.counts,
            is_greeted=self.is_greeted,
            over=self.over,
        )

    def lines(self) -> bytes:
        """A state file that says the same in the fewest words."""
        return first_line(self.header) + line(self.whole())

    def cut(self, most_bytes: int) -> list[str]:
        """Forget the oldest items until the file takes no more than this, in bytes; returns their ids.

        What turns need that are not over stays: the calls that are to be answered, and the newest item.
        """
        needed = {call.call_id for each in self.work.rounds for call in each.calls}
        sizes = {item_id: len(_text(item)) + len(",") for item_id, item in self.items.items()}
        too_much = len(self.lines()) - most_bytes
        gone: list[str] = []
        for item_id in list(self.items)[:-1]:
            if too_much <= 0:
                break
            if self.items[item_id].call_id not in needed:
                too_much -= sizes[item_id]
                gone.append(item_id)
                del self.items[item_id]
        return gone


def line(record: StateRecord) -> bytes:
    """A record as it stands in the file; what it does not say has its default."""
    return summed(_text(record))


def first_line(header: StateHeader) -> bytes:
    """A header as it stands in the file: whole, so that any version can read whose it is."""
    return summed(header.model_dump_json().encode())


def summed(text: bytes) -> bytes:
    """A JSON object as a line of the file, with the checksum of all before it as its last key."""
    said = text.removesuffix(b"}")
    return b'%s%s%08x"}\n' % (said, _SUM, crc32(said))


def content_of(line: bytes) -> bytes:
    """The JSON object that a line says, without its checksum and its end.

    Raises:
        ValueError: It is not as it was written.
    """
    said, _, told = line.rpartition(_SUM)
    if told != b'%08x"}' % crc32(said):
        msg = "its checksum is another one"
        raise ValueError(msg)
    return said + b"}"


def laid_over(header: StateHeader, changes: Iterable[StateChange]) -> SavedState:
    """What a file says whose lines are these."""
    state = SavedState(header)
    for each in changes:
        state.take(each)
    return state


def _text(record: StateRecord) -> bytes:
    """A record as JSON, without what is its default."""
    try:
        return record.model_dump_json(exclude_defaults=True).encode()
    except PydanticSerializationError:
        return dumps(readable(record.model_dump(exclude_defaults=True))).encode()
