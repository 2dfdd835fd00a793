"""From one rate to another: true to the sound, without clicks, without drift."""

import math
import subprocess
import sys

import pytest

from runner.audio.resampling import Resampler

numpy = pytest.importorskip("numpy", reason="numpy is not installed")
pytest.importorskip("soxr", reason="soxr is not installed")


def _sweep(rate: int, seconds: float) -> bytes:
    """Five tones of speech at once, under the band edge of telephony."""
    t = numpy.arange(round(rate * seconds)) / rate
    wave = sum(numpy.sin(2 * math.pi * hz * t + hz) for hz in (210, 450, 980, 1730, 3100))
    return bytes((wave * 3200).astype("<i2").tobytes())


def _through(resampler: Resampler, pcm: bytes, chunk_bytes: int) -> bytes:
    pieces = [resampler.convert(pcm[at : at + chunk_bytes]) for at in range(0, len(pcm), chunk_bytes)]
    return b"".join(pieces) + resampler.convert(b"", last=True)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_there_and_back_is_the_same(rate: int) -> None:
    """In pieces of 20 ms, with a signal to noise ratio above 60 dB."""
    sound = _sweep(24000, 2)
    there = _through(Resampler(24000, rate), sound, 960)
    back = _through(Resampler(rate, 24000), there, rate // 50 * 2)
    before, after = (numpy.frombuffer(each, dtype="<i2").astype(float) for each in (sound, back))

    assert abs(len(after) - len(before)) <= 1
    # The first and last moments have no neighbours to be interpolated from.
    inner = slice(2400, min(len(before), len(after)) - 2400)
    noise = numpy.sum((before[inner] - after[inner]) ** 2)
    assert 10 * math.log10(numpy.sum(before[inner] ** 2) / noise) > 60


@pytest.mark.parametrize("chunk_bytes", [2, 38, 960, 65536])
def test_pieces_join_without_a_click(chunk_bytes: int) -> None:
    """However it is cut, it comes out as if it had come in one piece, but for the dither of the last bit."""
    sound = _sweep(8000, 0.25)
    whole = numpy.frombuffer(_through(Resampler(8000, 24000), sound, len(sound)), dtype="<i2").astype(int)
    cut = numpy.frombuffer(_through(Resampler(8000, 24000), sound, chunk_bytes), dtype="<i2").astype(int)

    assert len(cut) == len(whole) == 6000
    assert numpy.max(numpy.abs(cut - whole)) <= 2


@pytest.mark.parametrize("rate", [8000, 44100])
def test_ten_minutes_drift_by_nothing(rate: int) -> None:
    """Not by one sample."""
    resampler, minute, count = Resampler(rate, 24000), bytes(rate * 2 * 60), 0
    for _ in range(10):
        count += len(resampler.convert(minute)) // 2
    count += len(resampler.convert(b"", last=True)) // 2

    assert count == 24000 * 600


def test_equal_rates_pass_as_they_are() -> None:
    """Bit by bit, and nothing is imported for it."""
    program = "import sys; from runner.audio.resampling import Resampler; r = Resampler(24000, 24000); "
    program += "assert r.convert(b'ab') == b'ab'; sys.exit('soxr' in sys.modules or 'numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
