"""Events that rt-run does not know or cannot read, reported once each and up to a bound."""

from runner.protocol.effects import Effect
from runner.protocol.severity import plain
from runner.protocol.unread_events import EventMalformed, EventUnknown
from runner.redaction import excerpt

_REMEMBERED = 256
_LONGEST_TYPE = 128


class ReportedOnce:
    """The types, problems and codes that were reported already."""

    def __init__(self) -> None:
        self._unknown: frozenset[str] = frozenset()
        self._malformed: frozenset[tuple[str, str]] = frozenset()
        self._harmless: frozenset[str] = frozenset()

    def unknown(self, kind: str) -> list[Effect]:
        """The endpoint has sent an event of an unknown type; each type is reported once."""
        kind = excerpt(kind, _LONGEST_TYPE)
        if kind in self._unknown or len(self._unknown) >= _REMEMBERED:
            return []
        self._unknown |= {kind}
        return [EventUnknown(plain(kind))]

    def malformed(self, kind: str, problem: str) -> list[Effect]:
        """An event cannot be read; each problem of a type is reported once; an empty type is no event at all."""
        if (kind, problem) in self._malformed or len(self._malformed) >= _REMEMBERED:
            return []
        self._malformed |= {(kind, problem)}
        return [EventMalformed(kind, problem)]

    def harmless(self, code: str) -> bool:
        """The endpoint has sent a harmless error; returns whether it is the first with this code."""
        is_new = code not in self._harmless
        if len(self._harmless) < _REMEMBERED:
            self._harmless |= {code}
        return is_new
