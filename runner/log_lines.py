"""What a line of the log may hold: its keys in one order, without secrets, within bounds."""

from collections.abc import MutableMapping
from typing import Any

from runner.redaction import excerpt

_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}

_FIRST_KEYS = ("timestamp", "level", "event", "profile", "run_id", "session_id")
"""The keys that a line begins with, as far as it has them; the others stand in the order in which they were given."""
_LONGEST_TEXT = 1000
_LONGEST_ID = 128
_LONGEST_TRACE = 20_000
_MOST_ENTRIES = 1000


def _bounded(value: Any, longest: int = _LONGEST_TEXT) -> Any:
    """A value without secrets, and cut where it is longer than a line may be."""
    match value:
        case str():
            return excerpt(value, longest)
        case bool() | int() | float() | None:
            return value
        case dict():
            return {excerpt(str(key), _LONGEST_ID): _bounded(each) for key, each in [*value.items()][:_MOST_ENTRIES]}
        case list() | tuple() | set() | frozenset():
            return [_bounded(each) for each in [*value][:_MOST_ENTRIES]]
        case _:
            return excerpt(str(value), longest)


def _longest(key: str) -> int:
    if key == "exception":
        return _LONGEST_TRACE
    return _LONGEST_ID if key == "id" or key.endswith("_id") else _LONGEST_TEXT


def calm_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The line without the control characters that could rewrite a terminal."""
    return {key: each.translate(_CONTROLS) if isinstance(each, str) else each for key, each in line.items()}


def bound_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The line without secrets, and cut to what a line may hold."""
    return {key: _bounded(value, _longest(key)) for key, value in line.items()}


def in_order(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The line with its keys in the order of all lines."""
    return {**{key: line[key] for key in _FIRST_KEYS if key in line}, **line}


def one_text(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> str:
    """The line as a text: event, keys, and the traceback below."""
    event, trace = line.pop("event"), line.pop("exception", "")
    return " ".join([event, *(f"{key}={value!r}" for key, value in line.items())]) + (f"\n{trace}" if trace else "")
