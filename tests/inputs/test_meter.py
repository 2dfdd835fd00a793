"""Bars on the live line of a terminal, and a line of what was used."""

import pytest

from runner.inputs.meter import LevelMeter, bar
from runner.inputs.progress import Progress
from runner.inputs.usage_line import usage_line
from runner.protocol.usage import Usage
from runner.settings.prices import Prices
from tests.helpers.hearing_peers import tone

FULL = bar(1.0, cells=1)
USED = Usage(responses=1, input_tokens=1000, output_tokens=234, input_text_tokens=1000)


def test_a_level_rises_at_once_and_falls_slowly() -> None:
    """Silence is an empty bar."""
    meter, shown = LevelMeter(), []
    for piece in (bytes(960), tone(0.02), *[bytes(960)] * 60):
        meter.take(piece)
        shown.append(meter.text.count(FULL))

    assert shown[0] == 0
    assert shown[1] == max(shown) > 4
    assert sorted(shown[1:], reverse=True) == shown[1:]
    assert shown[-1] == 0


def test_progress_never_passes_its_end() -> None:
    """A file may say that it is shorter than it is, or nothing of its length."""
    known, unknown = Progress("talk.wav", 2.0), Progress("talk.mp3", 0)
    for each in (known, unknown):
        each.advance(1.0)
    assert known.text == f"talk.wav {bar(0.5, 20)} 1.0/2.0 s"
    assert unknown.text == "talk.mp3 1.0 s"
    known.advance(5.0)
    assert known.text == f"talk.wav {FULL * 20} 2.0/2.0 s"


@pytest.mark.parametrize(
    ("usage", "duration_s", "line"),
    [
        (Usage(), 1.25, "1.2 s"),
        (USED, 59.4, "1 answer · 1,234 tokens · cost 0.0020 · 59 s"),
        (Usage(transcription_s=61), 7300, "1 min 1 s transcribed · 2 h 1 min"),
    ],
)
def test_what_was_used_is_one_line(usage: Usage, duration_s: float, line: str) -> None:
    """What is nothing is left out."""
    cost = usage.cost(Prices(input_text=2.0)) if usage.responses else None
    assert usage_line(usage, cost, duration_s) == line
