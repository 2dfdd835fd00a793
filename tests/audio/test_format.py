"""Bytes, samples and milliseconds, and the samples of G.711."""

import io
import math
import struct
from collections.abc import Callable
from typing import Any

import pytest

from runner.audio.format import FORMATS, PCM, PCMA, PCMU, AudioFormat
from runner.protocol.session_format import format_of


def _ulaw(code: int) -> int:
    """ITU-T G.711, table 2: 14-bit values, here of 16 bits; the recommendation sends all bits inverted."""
    sign, exponent, mantissa = ~code & 0x80, ~code >> 4 & 7, ~code & 15
    value = (((2 * mantissa + 33) << exponent) - 33) * 4
    return -value if sign else value


def _alaw(code: int) -> int:
    """ITU-T G.711, table 1: 13-bit values, here of 16 bits; the recommendation sends even bits inverted."""
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    value = (2 * mantissa + 1 if exponent == 0 else (2 * mantissa + 33) << (exponent - 1)) * 8
    return value if code & 0x80 else -value


@pytest.mark.parametrize(
    ("form", "size_bytes", "ms"), [(PCM, 48_000, 1000.0), (PCMU, 8000, 1000.0), (PCMA, 160, 20.0), (PCM, 2, 1 / 24)]
)
def test_bytes_and_milliseconds_are_each_other(form: AudioFormat, size_bytes: int, ms: float) -> None:
    """In every format, down to one sample."""
    assert form.ms(size_bytes) == pytest.approx(ms)
    assert form.seconds(size_bytes) == pytest.approx(ms / 1000)
    assert form.size_bytes(ms) == size_bytes


def test_a_length_is_whole_samples() -> None:
    """Half a sample would turn all that follows into noise."""
    assert [PCM.size_bytes(ms) % 2 for ms in (0.01, 0.03, 7.77)] == [0, 0, 0]


@pytest.mark.parametrize(("form", "table"), [(PCMU, _ulaw), (PCMA, _alaw)])
def test_g711_is_the_recommendation_s(form: AudioFormat, table: Callable[[int], int]) -> None:
    """All 256 codes decode to its values, and each value encodes to a code that stands for it."""
    values = struct.pack("<256h", *map(table, range(256)))

    assert form.decode(bytes(range(256))) == values
    assert form.decode(form.encode(values)) == values


@pytest.mark.parametrize(("form", "subtype"), [(PCMU, "ULAW"), (PCMA, "ALAW")])
def test_g711_is_libsndfile_s(form: AudioFormat, subtype: str) -> None:
    """All 256 codes decode alike, and what libsndfile encodes is never nearer to the original than what we do."""
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    codes = bytes(range(256))
    theirs, _ = soundfile.read(
        io.BytesIO(codes), format="RAW", subtype=subtype, channels=1, samplerate=8000, dtype="int16"
    )

    assert form.decode(codes) == theirs.astype("<i2").tobytes()

    ramp = struct.pack("<65536h", *range(-32768, 32768))
    file = io.BytesIO()
    samples = [[each] for each in range(-32768, 32768)]
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    soundfile.write(file, numpy.array(samples, dtype="int16"), 8000, format="RAW", subtype=subtype)
    ours = struct.unpack("<65536h", form.decode(form.encode(ramp)))
    others = struct.unpack("<65536h", form.decode(file.getvalue()))
    worse = sum(abs(a - s) > abs(b - s) for s, a, b in zip(range(-32768, 32768), ours, others, strict=True))
    assert worse / 65536 < 0.01


@pytest.mark.parametrize("form", list(FORMATS.values()), ids=lambda form: form.encoding)
def test_silence_is_silent(form: AudioFormat) -> None:
    """As nearly as the format can be."""
    samples = struct.unpack("<800h", form.decode(form.silence(800 * form.sample_bytes)))

    assert max(map(abs, samples)) <= 8


def test_half_a_sample_is_dropped() -> None:
    """An endpoint that cuts in the middle of one breaks nothing."""
    assert PCM.decode(b"\1\2\3") == b"\1\2"


@pytest.mark.parametrize("form", [PCMU, PCMA], ids=lambda form: form.encoding)
def test_a_voice_survives_g711(form: AudioFormat) -> None:
    """With the 36 dB or so that its recommendation promises of a sine."""
    wave = [round(10000 * math.sin(2 * math.pi * 440 * n / 8000)) for n in range(8000)]
    heard = struct.unpack("<8000h", form.decode(form.encode(struct.pack("<8000h", *wave))))
    noise = sum((a - b) ** 2 for a, b in zip(wave, heard, strict=True))

    assert 10 * math.log10(sum(a * a for a in wave) / noise) > 35


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({}, PCM),
        ({"audio": {"input": {"format": {"type": "audio/pcmu"}}}}, PCMU),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}}}, PCM),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}, AudioFormat("audio/pcm", 16000, 2)),
        ({"audio": {"input": {"format": {"type": "audio/novel"}}}}, PCM),
        ({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, PCM),
        ({"audio": 7}, PCM),
        ({"input_audio_format": "g711_alaw"}, PCMA),
        ({"input_audio_format": "pcm16"}, PCM),
    ],
)
def test_the_format_of_a_session_is_found(session: dict[str, Any], expected: AudioFormat) -> None:
    """In the current protocol and in the preview; PCM where it cannot be read."""
    assert format_of(session, "input") == expected
