"""What a variable allows."""

from typing import Any

import pytest

from runner.settings.variable import LONGEST, Variable


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("Ada", "Ada"),
        ("two\r\nlines\tand\x00 a\x1b[31m colour", "two  lines and a[31m colour"),
        ("a\u2028b\x85c\x7f", "a b c"),
        ("Zoë 李 👋", "Zoë 李 👋"),
        ("", ""),
    ],
)
def test_a_value_has_no_control_characters(given: str, value: str) -> None:
    """What parts words becomes a space."""
    assert Variable(default=given).default == value


@pytest.mark.parametrize(
    ("variable", "misfit"),
    [
        ({"default": "12", "pattern": r"\d+"}, ""),
        ({"default": "12a", "pattern": r"\d+"}, r"must match \d+"),
        ({"default": "", "min_length": 1}, "must have 1 to 1000 characters, and has 0"),
        ({"default": "abcd", "max_length": 3}, "must have at most 3 characters, and has 4"),
        ({"required": True, "min_length": 1}, ""),
    ],
)
def test_a_value_fits_the_pattern_and_the_bounds(variable: dict[str, Any], misfit: str) -> None:
    """All of it, after control characters are gone; no value fits always."""
    assert Variable(**variable).misfit == misfit


def test_a_variable_is_missing_where_it_is_required_and_has_no_default() -> None:
    """An optional one is an empty text then."""
    assert Variable(required=True).is_missing
    assert not Variable(required=True, default="").is_missing
    assert not Variable().is_missing


@pytest.mark.parametrize("wrong", [{"pattern": "("}, {"pattern": "a{99999999999}"}, {"default": "x" * (LONGEST + 1)}])
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    """A pattern that is none, and a value beyond all bounds."""
    with pytest.raises(ValueError, match=r"regular expression|at most"):
        Variable(**wrong)
