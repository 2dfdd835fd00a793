"""What is no TOML is told where it is, with what to write instead."""

from typing import Any

import pytest

from tests.profile.conftest import OPENAI


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (OPENAI.replace('"openai"', "openai"), '3:8: not TOML: invalid value; a text stands in quotes: kind = "…"'),
        (
            OPENAI + "[input]\nkind = 'file'\npath = ~/a.wav\n",
            "8:8: not TOML: invalid value; a text stands in quotes: path",
        ),
        (OPENAI + "[run]\non = True\n", "7:6: not TOML: invalid value; write on = true"),
        (OPENAI + "[session]\nreasoning = null\n", '7:13: not TOML: invalid value; write reasoning = "none", or leave'),
        (OPENAI + "[run]\na = \n", "7:5: not TOML: invalid value"),
        ("a = 1\n  a = 2\n", "2:3: not TOML: the key a is here a second time; remove one of them"),
        (OPENAI + "[model]\n", "6:1: not TOML: the table [model] is here a second time; put its keys into the first"),
        (OPENAI + "[run.limits]\n[run.limits]\n", "7:1: not TOML: the table [run.limits] is here a second time"),
        (
            OPENAI + '[[outputs]]\nkind = "stdout"\n[outputs]\n',
            "8:1: not TOML: outputs is an array of tables; write [[out",
        ),
        (
            OPENAI.replace('"openai"', "“openai”"),
            "3:8: not TOML: invalid value; here stands a left double quotation",
        ),
        (
            "version\u00a0= 1\n",
            "1:8: not TOML: expected '=' after a key in a key/value pair; here stands a no-break space",
        ),
        (
            OPENAI.replace('"openai"', "openai # \u2013 “x”"),
            "3:8: not TOML: invalid value; a text stands in quotes: kind",
        ),
        ("version: 1\n", "1:8: not TOML: expected '=' after a key in a key/value pair; write key = value"),
        ('{ "version": 1 }\n', "1:1: not TOML: invalid statement; a profile is TOML, not JSON"),
        (OPENAI + "[session\n", "6:9: not TOML: expected ']' at the end of a table declaration"),
    ],
)
def test_the_place_and_the_way_out(problems_of: Any, text: str, problem: str) -> None:
    """Quotes, capitals, null, and what stands twice."""
    (told,) = problems_of(text)

    assert told.startswith(f"p.toml:{problem}")


def test_a_value_without_quotes_is_not_repeated(problems_of: Any) -> None:
    """It may be a key."""
    (told,) = problems_of(OPENAI + '[auth]\nkind = "api-key"\napi_key = fa1b2c3d4e5f60718293a4b5c6d7e8f9\n')

    assert "fa1b" not in told
    assert 'a text stands in quotes: api_key = "…"' in told
