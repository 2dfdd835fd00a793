"""JSON as text, with the halves of surrogate pairs that JSON allows and UTF-8 does not.

Some servers cut text between the two halves of a pair. The fast parser refuses such text and the fast writer such
values; the standard library's take over, and write half a pair as an escape.
"""

import json
from contextlib import suppress
from typing import Final

from pydantic_core import PydanticSerializationError, from_json, to_json

_MAX_DEPTH: Final = 200
"""How deep the fast parser lets arrays and objects be nested."""

_TOO_DEEP: Final = f"nested deeper than {_MAX_DEPTH} levels"


class TooDeep(ValueError):
    """Arrays and objects are nested so deep that nobody can have meant it."""


def dumps(value: object) -> str:
    """A value as one line of JSON; numbers that JSON lacks are null.

    Args:
        value: What `loads` returns, or consists of the same types.

    Raises:
        ValueError: JSON cannot hold the value.
    """
    try:
        return to_json(value, inf_nan_mode="null").decode()
    except (UnicodeEncodeError, PydanticSerializationError):
        pass
    try:
        text = json.dumps(value)
        return json.dumps(json.loads(text, parse_constant=_null), separators=(",", ":"))
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def dumps_strict(value: object, *, separators: tuple[str, str] = (",", ":")) -> str:
    """A value that a caller has given as one line of JSON.

    Raises:
        ValueError: It consists of more than JSON's own types, or holds itself.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=separators, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=separators)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    return text


def loads(text: bytes | str) -> object:
    """The value of a JSON text.

    Raises:
        UnicodeDecodeError: The bytes are not UTF-8.
        TooDeep: It is nested deeper than 200 levels.
        ValueError: The text is not JSON.
    """
    try:
        return from_json(text)
    except ValueError as error:
        # The standard library's limit depends on the version of Python.
        if str(error).startswith("recursion limit exceeded"):
            raise TooDeep(_TOO_DEEP) from None
        return repaired(text)


def repaired(text: bytes | str) -> object:
    """The value of a JSON text that the fast parser has refused; raises as `loads` does."""
    if isinstance(text, bytes):
        text = text.decode()
    with suppress(RecursionError):
        value = json.loads(text)
        if _is_shallow(value):
            return value
    raise TooDeep(_TOO_DEEP)


def joined(text: str) -> str:
    """The text with the halves of surrogate pairs put together; half a pair alone becomes a replacement character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _null(_constant: str) -> None:
    return None


def _is_shallow(value: object) -> bool:
    """Whether code that walks through the value can do so by recursion."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            each
            for outer in level
            for each in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
        ]
        if not level:
            return True
    return False
