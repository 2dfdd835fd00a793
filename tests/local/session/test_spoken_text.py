"""A text is spoken sentence by sentence while it is still being written."""

from collections.abc import Iterator

import pytest

from runner.local.session.spoken_text import SpokenText


class Reader:
    """A voice that notes what it is to say at once."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def speak(self, text: str, rate: int) -> Iterator[tuple[str, bytes]]:
        """Say it."""
        self.said.append(text)
        yield text, bytes(rate // 1000)


def test_a_sentence_is_spoken_once_it_is_known_to_be_one() -> None:
    """Not in the middle of a number, and not before the space behind the full stop."""
    voice = Reader()
    text = SpokenText(voice, 24000)
    steps = []
    for piece in ("It costs 3", ".", "50 euros", ".", ' "Really?', '"', " Yes", ".\n"):
        text.add(piece)
        steps.append(len(list(text)))
    text.end()

    assert [*steps, len(list(text))] == [0, 0, 0, 0, 1, 0, 1, 1, 1]
    assert voice.said == ["It costs 3.50 euros.", ' "Really?"', " Yes.", "\n"]


def test_the_first_clause_is_spoken_before_its_sentence_is_whole() -> None:
    """Who listens hears something soon; later sentences are spoken as a whole."""
    voice = Reader()
    text = SpokenText(voice, 24000)
    text.add("Well, I have looked it up for you, and it is, as far as I know, ")
    first = list(text)
    text.add("on Monday. And after that, which is a holiday, nothing")
    list(text)

    assert [piece for piece, _ in first] == ["Well, I have looked it up for you,"]
    assert voice.said[1:] == [" and it is, as far as I know, on Monday."]


@pytest.mark.parametrize("text", ["word " * 200, "x" * 1000, "a, b" * 200, "等等。" * 90])
def test_nothing_is_too_long_and_nothing_gets_lost(text: str) -> None:
    """A sentence without end is spoken in parts."""
    voice = Reader()
    spoken = SpokenText(voice, 24000)
    spoken.add(text)
    spoken.end()

    assert "".join(piece for piece, _ in spoken) == text
    assert max(map(len, voice.said)) <= 240
