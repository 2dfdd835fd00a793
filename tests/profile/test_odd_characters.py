"""What nobody sees is called by its name."""

import pytest

from runner.profile.odd_characters import called, oddity


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("gpt-realtime\r", "ends with a carriage return"),
        ("\tgpt-realtime", "begins with a tab"),
        ("gpt-realtime ", "ends with a space"),
        ("gpt\u200b-realtime", "holds a zero width space (U+200B)"),
        ("\ufeffgpt", "holds a zero width no-break space (U+FEFF)"),
        ("gpt\u2011realtime", "holds a non-breaking hyphen (U+2011)"),
        ("gpt\u2013realtime", "holds an en dash (U+2013)"),
        ("gpt\x1brealtime", "holds an escape"),
        ("gpt\x9brealtime", "holds a control character (U+009B)"),
        ("gpt\u00a0realtime", "holds a no-break space (U+00A0)"),
        ('"gpt"', "has quotes around it that are a part of the value"),
        ("\u2018gpt\u2019", "has quotes around it that are a part of the value"),
        ('gpt"realtime', "holds a quotation mark (U+0022)"),
        ("org/model:7b-é@1 x", ""),
    ],
)
def test_a_name_is_plain(text: str, problem: str) -> None:
    """Spaces and letters of any script within are not odd."""
    assert oddity(text, is_name=True)[0] == problem


@pytest.mark.parametrize(
    ("text", "is_odd"),
    [("a\u2013b.jsonl", False), ("it's.wav", False), ("a\u200bb", True), ("'a'", True), ("a ", True)],
)
def test_another_value_may_have_dashes_and_quotes_within(text: str, *, is_odd: bool) -> None:
    """A path has what its owner gave it."""
    assert bool(oddity(text, is_name=False)[0]) is is_odd


def test_every_character_has_a_name() -> None:
    """Also one without a name in Unicode."""
    assert called("\ue000") == "a control character (U+E000)"
