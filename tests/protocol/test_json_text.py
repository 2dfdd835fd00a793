"""JSON text goes out and comes in whole, half a surrogate pair included."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.protocol.json_text import TooDeep, dumps, loads, repaired

TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_survives_its_text(value: Any) -> None:
    """Through either parser, as text or as UTF-8; the text is one line."""
    text = dumps(value)

    assert loads(text) == loads(text.encode()) == repaired(text) == json.loads(text) == value
    assert "\n" not in text


@pytest.mark.parametrize("beside", ["plain", "\ud83d"])
def test_numbers_that_json_lacks_are_null(beside: str) -> None:
    """Also beside half a surrogate pair."""
    value = {"a": [math.nan, math.inf, 1.5], "b": -math.inf, "c": beside}

    assert loads(dumps(value)) == {"a": [None, None, 1.5], "b": None, "c": beside}


def test_half_a_surrogate_pair_is_written_as_an_escape() -> None:
    """The pair's other half may come with the next event."""
    assert dumps({"delta": "\ud83d"}) == '{"delta":"\\ud83d"}'


@pytest.mark.parametrize("value", [object(), {"a": ["\ud83d", object()]}, {("a", "\ud83d"): 1}])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    """By one type of error."""
    with pytest.raises(ValueError):
        dumps(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    """It would have no end."""
    value: list[Any] = ["\ud83d"]
    value.append(value)

    with pytest.raises(ValueError, match=r"[Cc]ircular"):
        dumps(value)


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", b"[1,]", "[" * 201 + '"\\ud83d"' + "]" * 201, "[" * 100_000])
def test_what_is_no_json_or_nested_too_deeply_is_refused(text: str | bytes) -> None:
    """The bound is the fast parser's, whichever parser reads."""
    with pytest.raises(ValueError):
        loads(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"error":' * 6_000, b'[{"a":' * 10_000 + b"1" + b"}]" * 10_000])
def test_what_is_nested_too_deeply_is_refused_as_such(text: str | bytes) -> None:
    """On every version of Python, also where its end is missing."""
    with pytest.raises(TooDeep, match="deeper than 200 levels"):
        loads(text)


def test_nesting_up_to_the_bound_is_read() -> None:
    """By the parser that takes half a surrogate pair too."""
    assert dumps(loads("[" * 199 + '"\\ud83d"' + "]" * 199)) == "[" * 199 + '"\\ud83d"' + "]" * 199


def test_bytes_that_are_not_utf8_are_distinguished_from_what_is_no_json() -> None:
    """A WebSocket ends for the one, and a message counts as malformed for the other."""
    with pytest.raises(UnicodeDecodeError):
        loads(b'"\xff"')
