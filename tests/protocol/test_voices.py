"""Which turns two voices on one timeline make."""

import math

import pytest

from runner.protocol.voices import PAUSE_S, SpeechPlace, Voice, Voices

Piece = tuple[Voice, int | None, int | None, float]


@pytest.mark.parametrize(
    ("pieces", "beginnings"),
    [
        pytest.param([("user", 0, 300, 0.3), ("user", 300, 900, 0.9)], [0], id="one voice without a pause"),
        pytest.param([("user", 0, 300, 0.3), ("user", 2000, 2300, 2.3)], [0, 1], id="a pause"),
        pytest.param([("user", 0, 300, 0.3), ("user", 300, 600, 9.0)], [0], id="words that come late"),
        pytest.param(
            [("user", 0, 300, 0.3), ("assistant", 500, 900, 0.9), ("user", 1000, 1200, 1.2)], [0, 1, 2], id="in turn"
        ),
        pytest.param(
            [("user", 0, 300, 0.3), ("assistant", 500, 900, 0.9), ("user", 300, 480, 1.0)], [0, 1], id="late last words"
        ),
        pytest.param(
            [("assistant", 0, 900, 0.9), ("user", 500, 800, 1.0), ("assistant", 900, 1500, 1.5)], [0, 1], id="both"
        ),
        pytest.param([("user", None, None, 0.3), ("user", None, None, 1.0)], [0], id="without places"),
        pytest.param([("user", None, None, 0.3), ("user", None, None, 3.0)], [0, 1], id="a pause without places"),
    ],
)
def test_pauses_and_the_other_voice_end_turns(pieces: list[Piece], beginnings: list[int]) -> None:
    """Where the words lie on the timeline counts, and not when they come."""
    voices = Voices()
    found = [
        n for n, (voice, start, end, at_s) in enumerate(pieces) if voices.add(voice, SpeechPlace(start, end, at_s))
    ]
    assert found == beginnings


def test_silence_ends_a_turn() -> None:
    """A turn lasts as long as its last piece does, words or sound, and a pause longer."""
    voices = Voices()
    assert voices.due_s == math.inf
    voices.add("user", SpeechPlace(0, 1000, 10.0))
    assert voices.due_s == 11.0 + PAUSE_S
    voices.add("assistant", SpeechPlace(0, 10**9, 10.0))
    assert voices.sound("assistant", 41.0) is False
    assert voices.fallen_silent(11.0 + PAUSE_S) == ["user"]
    assert voices.fallen_silent(41.0 + PAUSE_S) == ["assistant"]
    assert voices.sound("assistant", 50.0) is True


def test_what_was_answered_ends_before_its_answer() -> None:
    """Its words may come late and all at once, so that they seem to last longer than the answer."""
    voices = Voices()
    voices.add("assistant", SpeechPlace(0, 200, 0.2))
    voices.add("user", SpeechPlace(400, 1400, 2.0))
    assert voices.fallen_silent(0.5 + PAUSE_S) == ["assistant"]
    voices.add("assistant", SpeechPlace(1900, 2000, 2.1))
    assert voices.fallen_silent(2.3 + PAUSE_S) == ["user", "assistant"]
