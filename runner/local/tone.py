"""A plain synthetic voice: a 250 Hz tone as long as the text, in each of the API's encodings."""

import math
import struct
from functools import cache
from typing import Final

MS_PER_CHARACTER: Final = 24
_PERIOD_MS: Final = 4
_GAP_MS: Final = 12
_AMPLITUDE: Final = 6000

BYTES_PER_MS: Final = {"audio/pcm": 48, "audio/pcmu": 8, "audio/pcma": 8}
"""How much audio one millisecond is, by encoding."""


def speak(text: str, encoding: str) -> bytes:
    """Audio that stands for a piece of text: 24 ms a character, the last 12 ms silent.

    Whole periods only, so that pieces join without a click.
    """
    if not text:
        return b""
    periods = (len(text) * MS_PER_CHARACTER - _GAP_MS) // _PERIOD_MS
    return _period(encoding) * periods + _silence(encoding) * _GAP_MS


@cache
def _silence(encoding: str) -> bytes:
    return _encode(0, encoding) * (BYTES_PER_MS[encoding] // len(_encode(0, encoding)))


@cache
def _period(encoding: str) -> bytes:
    samples = _PERIOD_MS * (24 if encoding == "audio/pcm" else 8)
    wave = (round(_AMPLITUDE * math.sin(2 * math.pi * index / samples)) for index in range(samples))
    return b"".join(_encode(sample, encoding) for sample in wave)


def _encode(sample: int, encoding: str) -> bytes:
    """One 16-bit sample; the companded forms follow ITU-T G.711."""
    if encoding == "audio/pcm":
        return struct.pack("<h", sample)
    sign = 0x80 if sample < 0 else 0
    if encoding == "audio/pcmu":
        magnitude = min(abs(sample), 32635) + 132
        segment = magnitude.bit_length() - 8
        return bytes([~(sign | segment << 4 | magnitude >> (segment + 3) & 0x0F) & 0xFF])
    magnitude = ~sample if sign else sample
    segment = max(magnitude.bit_length() - 8, 0)
    value = segment << 4 | magnitude >> (segment + 3 if segment else 4) & 0x0F
    return bytes([(value | (sign ^ 0x80)) ^ 0x55])
