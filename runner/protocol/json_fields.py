"""Typed access to the fields of an event that came from outside."""

from typing import Any

JsonObject = dict[str, Any]
"""One JSON object; a client event, a server event, or a part of one."""


class BadField(Exception):
    """A field of a server event is missing or has a type that the protocol does not give it.

    Args:
        key: The field's name.
        expected: What should have stood there.
    """

    def __init__(self, key: str, expected: str) -> None:
        super().__init__(f"`{key}` is not {expected}")


def text(event: JsonObject, key: str) -> str:
    """The string under `key`; raises `BadField` for anything else."""
    value = event.get(key)
    if not isinstance(value, str):
        raise BadField(key, "a string")
    return value


def identifier(event: JsonObject, key: str) -> str:
    """The id under `key`, which some servers write as a number; raises `BadField` for anything else."""
    value = event.get(key)
    if type(value) is int or (type(value) is float and value.is_integer()):
        return str(int(value))
    return text(event, key)


def optional_text(event: JsonObject, key: str) -> str:
    """The string under `key`, or an empty one where it is missing or null; raises `BadField` for anything else."""
    return "" if event.get(key) is None else text(event, key)


def table(event: JsonObject, key: str) -> JsonObject:
    """The object under `key`; raises `BadField` for anything else."""
    value = event.get(key)
    if not isinstance(value, dict):
        raise BadField(key, "an object")
    return value


def optional_table(event: JsonObject, key: str) -> JsonObject:
    """The object under `key`, or an empty one where it is missing or null; raises `BadField` for anything else."""
    return {} if event.get(key) is None else table(event, key)


def tables(event: JsonObject, key: str) -> list[JsonObject]:
    """The objects of the list under `key`, none where it is missing or null; raises `BadField` for anything else."""
    value = event.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadField(key, "a list of objects")
    return value


def count(event: JsonObject, key: str) -> int:
    """The non-negative whole number under `key`, 0 where it is missing or null; raises `BadField` for anything else."""
    value = event.get(key)
    if value is None:
        return 0
    is_whole = type(value) is int or (type(value) is float and value.is_integer())
    if not is_whole or not 0 <= value < 1 << 63:
        raise BadField(key, "a non-negative whole number")
    return int(value)


def number(event: JsonObject, key: str) -> float:
    """The non-negative number under `key`, 0 where it is missing or null; raises `BadField` for anything else."""
    value = event.get(key)
    if value is None:
        return 0.0
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise BadField(key, "a non-negative number")
    return float(value)
