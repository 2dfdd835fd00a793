"""Text in rows of a terminal."""

import pytest

from runner.terminal.word_wrap import wrapped


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [""]),
        ("short", ["short"]),
        ("exactly 10", ["exactly 10"]),
        ("exactly 10 and", ["exactly 10", "and"]),
        ("two words here", ["two words", "here"]),
        ("unbreakablyлong", ["unbreakabl", "yлong"]),
        ("https://example.org/x", ["https://ex", "ample.org/", "x"]),
        ("    indented code", ["    indent", "ed code"]),
        ("a\tb", ["a       b"]),
        ("漢字漢字漢字", ["漢字漢字漢", "字"]),
        ("ééééé ééééé", ["ééééé", "ééééé"]),
    ],
)
def test_rows_end_between_words_where_they_can(text: str, rows: list[str]) -> None:
    """Nothing is lost but the space at which a row ends; wide letters count twice."""
    assert wrapped(text, 10) == rows


def test_a_letter_that_does_not_fit_stands_alone() -> None:
    """A terminal of one column shows something of wide letters, too."""
    assert wrapped("漢字", 1) == ["漢", "字"]
