"""What of a turn is read at once."""

from itertools import pairwise

import pytest

from runner.local.speech.moonshine import passages

SPEECH, BREATH, SILENCE = [0.9], [0.4], [0.0]
SECOND = 31
"""Frames of 32 ms, nearly."""


@pytest.mark.parametrize(
    "heard",
    [[], SILENCE * 100, BREATH * 50, SILENCE * 20 + SPEECH * 2 + SILENCE * 20, BREATH * 9 + SPEECH * 2 + BREATH * 9],
    ids=["nothing", "silence", "breath", "click", "sigh"],
)
def test_where_hardly_anything_is_speech_nothing_is_read(heard: list[float]) -> None:
    """The model would make words of it."""
    assert list(passages(heard)) == []


def test_silence_around_speech_is_cut_off() -> None:
    """A tenth of a second stays before it, half a second after it."""
    assert list(passages(SILENCE * 50 + SPEECH * 30 + SILENCE * 50)) == [(47, 96)]


def test_what_is_said_at_once_is_read_whole() -> None:
    """A short turn is all there is, and short pauses belong to it."""
    assert list(passages(SPEECH * 10 + SILENCE * 25 + SPEECH * 10)) == [(0, 45)]


def test_long_pauses_divide() -> None:
    """What is said before and after is read apart, and a breath between is not."""
    first, breath, second = SPEECH * 10, BREATH * 3, SPEECH * 20

    found = list(passages(first + SILENCE * 100 + breath + SILENCE * 100 + second))

    assert found == [(0, 26), (210, 233)]


@pytest.mark.parametrize("seconds", [14, 15, 20, 29, 61])
def test_what_goes_on_for_long_is_divided_without_a_gap(seconds: int) -> None:
    """No part lasts more than 14 s, none is a mere scrap, and together they are everything."""
    found = list(passages(SPEECH * (seconds * SECOND)))
    lengths = [last - first for first, last in found]

    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert (found[0][0], found[-1][1]) == (0, seconds * SECOND)
    assert max(lengths) <= 14 * SECOND + 4
    assert min(lengths) > 3 * SECOND


def test_it_is_divided_where_it_is_quietest() -> None:
    """A short pause is the place, not the middle of a word."""
    heard = SPEECH * (10 * SECOND) + [0.1] + SPEECH * (10 * SECOND)

    assert list(passages(heard)) == [(0, 10 * SECOND), (10 * SECOND, 20 * SECOND + 1)]
