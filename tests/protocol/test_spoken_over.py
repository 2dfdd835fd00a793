"""When an answer of a Live session counts as interrupted: by its last words, and by where the user began."""

import pytest

from runner.protocol.spoken_over import SpokenOver
from runner.protocol.voices import SpeechPlace


@pytest.mark.parametrize(
    ("words", "begun_ms", "is_interrupted"),
    [
        ("Today it will be", [2800], True),
        ("Today it will be", [1200, 9000], True),
        ("Today it will be", [3200], True),
        ("Today it will be", [], False),
        ("Today it will be", [900], False),
        ("Today it will be", [3400], False),
        ("Today it will be sunny.", [2800], False),
        ('He said "Today!" ', [2800], False),
        ("今日は晴れ。", [2800], False),
    ],
    ids=[
        *("in mid-sentence", "among others", "seemingly just after it", "nobody spoke", "too long before its end"),
        *("after it", "at the end of a sentence", "of a quoted one", "of a Japanese one"),
    ],
)
def test_an_answer_that_stops_where_the_user_begins_is_interrupted(
    words: str, begun_ms: list[int], *, is_interrupted: bool
) -> None:
    """It says words from its first second to its third; one that ends its sentence has said what it had to."""
    answer = SpokenOver("a")
    answer.say(words, SpeechPlace(1000, 3000, 0.0))
    for each in begun_ms:
        answer.speak_up(each)

    assert (answer.is_interrupted, answer.is_news(), answer.is_news()) == (is_interrupted, is_interrupted, False)
    answer.say(" and more", SpeechPlace(3000, 9000, 0.0))
    assert not answer.is_interrupted or 9000 in begun_ms
    assert answer.said_ms == 8000


def test_words_without_places_tell_nothing() -> None:
    """An endpoint that does not say where words are does not say who spoke over whom."""
    answer = SpokenOver("a")
    answer.say("Today", SpeechPlace(None, None, 0.0))
    answer.speak_up(1)

    assert not answer.is_interrupted
