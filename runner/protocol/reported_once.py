"""What an endpoint sends that rt-run does not know or cannot read, told once and up to a bound."""

from runner.protocol.effects import Effect, EventMalformed, EventUnknown
from runner.protocol.severity import plain

_REMEMBERED = 256
_LONGEST_TYPE = 128


class ReportedOnce:
    """The types and problems that were told already."""

    def __init__(self) -> None:
        self._unknown: frozenset[str] = frozenset()
        self._malformed: frozenset[tuple[str, str]] = frozenset()
        self._harmless: frozenset[str] = frozenset()

    def unknown(self, kind: str) -> list[Effect]:
        """An event of a type that nobody knows has come; each type is told once."""
        kind = kind[:_LONGEST_TYPE]
        if kind in self._unknown or len(self._unknown) >= _REMEMBERED:
            return []
        self._unknown |= {kind}
        return [EventUnknown(plain(kind))]

    def malformed(self, kind: str, problem: str) -> list[Effect]:
        """An event cannot be read; each problem of a type is told once."""
        if (kind, problem) in self._malformed or len(self._malformed) >= _REMEMBERED:
            return []
        self._malformed |= {(kind, problem)}
        return [EventMalformed(kind, problem)]

    def harmless(self, code: str) -> bool:
        """An error that needs nobody's attention has come; returns whether it is the first with this code."""
        is_new = code not in self._harmless
        self._harmless |= {code}
        return is_new
