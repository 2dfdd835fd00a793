"""Counts the lines of the log that say the same again and again, instead of writing them."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

MOST_A_MINUTE: Final = 10
"""So many lines of one kind are written in a minute; the others are counted."""

_MINUTE_S = 60.0
_MOST_KINDS = 1024
_SIGNS = ("code", "reason", "name")
"""The keys that tell lines of one event apart by what they report; a line that has none is always written."""
_WHOSE = ("profile", "run_id", "session", "session_id")
_TITLE = ("event", *_WHOSE, *_SIGNS)


class LineRepeats:
    """Knows how often each kind of line has come in the last minute.

    Args:
        clock: The time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: dict[tuple[str, ...], _Kind] = {}

    def take(self, line: Mapping[str, Any]) -> int | None:
        """Note a line; returns how many like it were left out before it, None where it is left out itself."""
        if not any(sign in line for sign in _SIGNS):
            return 0
        key = tuple(str(line.get(name, ""))[:200] for name in _TITLE)
        now_s = self._clock()
        kind = self._kinds.get(key)
        if kind is None or now_s - kind.since_s >= _MINUTE_S:
            left_out = kind.left_out if kind else 0
            self._kinds.pop(key, None)
            self._kinds[key] = _Kind({name: line[name] for name in _TITLE if name in line}, now_s)
            if len(self._kinds) > _MOST_KINDS:
                del self._kinds[next(iter(self._kinds))]
            return left_out
        kind.written += 1
        if kind.written <= MOST_A_MINUTE:
            return 0
        kind.left_out += 1
        return None

    def left_out(self) -> list[dict[str, Any]]:
        """The kinds of which lines were left out since the last one that was written; each is given once."""
        kinds, self._kinds = self._kinds, {}
        return [{**kind.title, "repeats": kind.left_out} for kind in kinds.values() if kind.left_out]


class _Kind:
    __slots__ = ("left_out", "since_s", "title", "written")

    def __init__(self, title: dict[str, Any], since_s: float) -> None:
        self.title, self.since_s = title, since_s
        self.written, self.left_out = 1, 0
