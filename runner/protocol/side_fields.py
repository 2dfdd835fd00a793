"""The fields of a server event that its meaning does not hang on: what cannot be read counts as absent.

What an event means is read by `json_fields`, which raises. Everything else is read here, and never raises: an event
with an unreadable side field means what it would mean without the field.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar, final

from runner.protocol import json_fields
from runner.protocol.json_fields import BadField, JsonObject

T = TypeVar("T")

_REMEMBERED: Final = 256


@final
class FieldUnreadable(NamedTuple):
    """A side field of a known event cannot be read and counts as absent; the event means what it would without it."""

    type: str
    """The event that had it first."""
    problem: str


class SideFields:
    """Reads side fields, and reports once which of them could not be read."""

    def __init__(self) -> None:
        self._unread: list[str] = []
        self._reported: frozenset[str] = frozenset()

    def report(self, kind: str) -> list[FieldUnreadable]:
        """Report what could not be read of an event of this type, each field once, whatever events have it."""
        if not self._unread:
            return []
        unread, self._unread = self._unread, []
        self._reported |= frozenset(unread)
        return [FieldUnreadable(kind, each) for each in unread]

    def text(self, event: JsonObject, key: str) -> str:
        """The string under `key`, an empty one where there is none."""
        return self._read(json_fields.optional_text, event, key, "")

    def identifier(self, event: JsonObject, key: str) -> str:
        """The id under `key`, an empty one where there is none; one that is a whole number becomes text."""
        return "" if event.get(key) is None else self._read(json_fields.identifier, event, key, "")

    def count(self, event: JsonObject, key: str) -> int:
        """The non-negative whole number under `key`, 0 where there is none."""
        return self._read(json_fields.count, event, key, 0)

    def number(self, event: JsonObject, key: str) -> float:
        """The non-negative number under `key`, 0 where there is none."""
        return self._read(json_fields.number, event, key, 0.0)

    def whole(self, event: JsonObject, key: str) -> int | None:
        """The number under `key` without its fraction, such as a moment or a place in the audio; None where none is."""
        if event.get(key) is None:
            return None
        try:
            return int(json_fields.number(event, key))
        except BadField as bad:
            self.note(str(bad))
            return None

    def table(self, event: JsonObject, key: str) -> JsonObject:
        """The object under `key`, an empty one where there is none."""
        return self._read(json_fields.optional_table, event, key, {})

    def tables(self, event: JsonObject, key: str) -> list[JsonObject]:
        """The objects of the list under `key`; what stands between them and is none is left out."""
        value = event.get(key)
        if isinstance(value, list):
            found = [each for each in value if isinstance(each, dict)]
            if len(found) < len(value):
                self.note(str(BadField(key, "a list of objects")))
            return found
        return self._read(json_fields.tables, event, key, [])

    def note(self, problem: str) -> None:
        """A field cannot be read for this reason."""
        if problem not in self._reported and problem not in self._unread and len(self._reported) < _REMEMBERED:
            self._unread.append(problem)

    def _read(self, read: Callable[[JsonObject, str], T], event: JsonObject, key: str, absent: T) -> T:
        try:
            return read(event, key)
        except BadField as bad:
            self.note(str(bad))
            return absent
