"""Loudness counts as speech, by the scale of the API's threshold."""

import struct

import pytest

from runner.local.speech.loudness import LoudnessDetector
from tests.helpers.local_client import said


def square(level_db: float, ms: float, rate: int = 24_000) -> bytes:
    """A square wave of this loudness."""
    value = round(32768 * 10 ** (level_db / 20))
    return b"".join(struct.pack("<h", value if index % 2 else -value) for index in range(int(rate * ms / 1000)))


@pytest.mark.parametrize(("level_db", "probability"), [(-80, 0), (-60, 0), (-50, 0.25), (-40, 0.5), (-20, 1), (-3, 1)])
def test_the_scale_runs_from_60_to_20_db(level_db: float, probability: float) -> None:
    """A threshold of 0.5 is -40 dBFS."""
    (frame,) = LoudnessDetector(24_000).detect(square(level_db, 20))

    assert frame.duration_ms == 20
    assert frame.probability == pytest.approx(probability, abs=0.02)


@pytest.mark.parametrize("rate", [8000, 24_000])
def test_frames_join_across_pieces(rate: int) -> None:
    """Audio in pieces of any size has the same frames as in one."""
    pcm = square(-30, 50, rate) + bytes(2 * rate // 10)
    detector = LoudnessDetector(rate)

    frames = [frame for at in range(0, len(pcm), 77) for frame in detector.detect(pcm[at : at + 77])]

    assert frames == LoudnessDetector(rate).detect(pcm)
    assert len(frames) == 7


def test_the_synthetic_voice_is_always_heard() -> None:
    """Its gaps are shorter than a frame."""
    assert all(frame.probability > 0.9 for frame in LoudnessDetector(24_000).detect(said("Hello, how are you?")))
