"""What was meant by a word: said where it is near, and not where it is only the least far."""

import difflib
from typing import Any

import pytest

from runner.profile import ProfileProblems
from runner.profile.suggestion import MOST_GUESSES, choice, nearest
from tests.profile.conftest import OPENAI

KINDS = ("openai", "azure", "custom", "local")


@pytest.mark.parametrize(
    ("given", "words", "expected"),
    [
        ("azure-openai", KINDS, ["azure"]),
        ("AzureOpenAI", ("azure", "openai", "azure_openai"), ["azure_openai"]),
        ("azuer", KINDS, ["azure"]),
        ("OpenAI", KINDS, ["openai"]),
        ("open-ai", KINDS, ["openai"]),
        ("nope", ("openai", "local", "azure-key"), []),
        ("transcribe", ("realtime", "transcription", "translation"), ["transcription"]),
        ("gemini", KINDS, []),
        ("localhost", KINDS, []),
        ("none", KINDS, []),
        ("x", ("name",), []),
        ("time", ("timeout_s", "until"), ["timeout_s"]),
        ("pro", ("profile", "project"), []),
        ("loca", ("local", "local-voice"), ["local"]),
        ("--profil", ("--profile", "--profiles-dir"), ["--profile"]),
        ("", KINDS, []),
        ("azure" * 100, KINDS, []),
    ],
)
def test_only_what_is_near_is_meant(given: str, words: tuple[str, ...], expected: list[str]) -> None:
    """A whole word in it, a beginning that only one has, or nearly all of its letters."""
    assert nearest(given, words) == expected


def test_several_may_be_near() -> None:
    """The best comes first."""
    assert nearest("support-b", ("support-a", "support-bb", "sales"), most=3) == ["support-bb", "support-a"]


def test_a_choice_is_a_sentence() -> None:
    """One word, two, many."""
    assert [choice(["a"]), choice(["a", "b"]), choice(["a", "b", "c"])] == ['"a"', '"a" or "b"', '"a", "b" or "c"']


@pytest.mark.parametrize("table", ["", "[session]\n", "[run]\n"])
def test_a_file_of_something_else_is_not_guessed_at_for_long(
    load: Any, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """Every one of many unknown keys is told, and the time for it grows with their number and no faster."""
    guesses: list[str] = []
    original = difflib.get_close_matches

    def counted(word: str, *arguments: Any, **options: Any) -> list[str]:
        guesses.append(word)
        return original(word, *arguments, **options)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    unknown = "".join(f"k{number} = 1\n" for number in range(3000))
    text = OPENAI + table + unknown if table else unknown + OPENAI
    with pytest.raises(ProfileProblems) as raised:
        load(text, **{f"RT_RUN_X{number}": "1" for number in range(100)})

    assert len(raised.value.problems) == 3000
    assert len(set(guesses)) == 2 * MOST_GUESSES
