"""The synthetic voice and its transcriber: every byte of a text is a pair of tones, which can be read back."""

import math
import re
import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from functools import cache
from operator import mul
from typing import Final

from runner.local.speech.interfaces import NotUnderstood

MS_PER_CHARACTER: Final = 24
"""The length of one byte of UTF-8, in milliseconds; the last of them are a gap."""

_PULSE_MS: Final = 20
_FADE_MS: Final = 2
_LOW_HZ: Final = tuple(range(300, 1900, 100))
_HIGH_HZ: Final = tuple(range(2000, 3600, 100))
_AMPLITUDE: Final = 5500
"""Of each tone; both together stay below -9 dBFS."""

_RATE: Final = 8000
_BLOCK: Final = _RATE // 1000
_PULSE: Final = _PULSE_MS * _BLOCK
_PERIOD: Final = _RATE // 100
"""All tones repeat after as many samples, so a pulse is folded to one period before it is analysed."""
_QUIETEST: Final = 0.001
_ONSET: Final = 0.25
"""The share of the loudest millisecond at which a pulse begins."""
_GAP: Final = 0.3
_PURITY: Final = 0.9
"""The share of a pulse's power that its two tones have at least; G.711 leaves more than 0.99."""
_TWIST: Final = 10.0
"""How many times stronger one tone may be than the other, in power."""
_UNEVENNESS: Final = 1.7
"""How many times louder one pulse may be than another; a second voice is never as loud all the time."""
_JITTER_MS: Final = 1
_PAUSE_MS: Final = 40
"""A pulse follows the one before it at once, or at least so much later."""
_SAYABLE: Final = frozenset("\t\n\r")

_NOT_UNDERSTOOD: Final = 'only its own synthetic voice is understood without `endpoint.speech = "models"`'
_PIECE: Final = re.compile(r"\s{0,8}\w{1,8}|\s{0,8}[^\w\s]|\s{1,8}")


def pieces(text: str) -> list[str]:
    """Split a text into pieces of about a word, each with the space before it."""
    return _PIECE.findall(text)


class SyntheticVoice:
    """Speaks a text in tones, 24 ms for each byte of it."""

    def speak(self, text: str, rate: int) -> Iterator[tuple[str, bytes]]:
        """Returns the text in pieces, each with its audio: 16-bit samples, mono, `rate` a second."""
        for piece in pieces(text):
            yield piece, b"".join(_symbol(byte, rate) for byte in piece.encode("utf-8", "replace"))


@cache
def _symbol(byte: int, rate: int) -> bytes:
    pulse, fade = rate * _PULSE_MS // 1000, rate * _FADE_MS // 1000
    steps = (2 * math.pi * _LOW_HZ[byte >> 4] / rate, 2 * math.pi * _HIGH_HZ[byte & 15] / rate)
    samples = []
    for index in range(pulse):
        edge = min(1.0, (index + 0.5) / fade, (pulse - index - 0.5) / fade)
        at = index - (pulse - 1) / 2
        wave = math.cos(steps[0] * at) + math.cos(steps[1] * at)
        samples.append(round(_AMPLITUDE * math.sin(math.pi / 2 * edge) ** 2 * wave))
    return struct.pack(f"<{pulse}h", *samples) + bytes(2 * (rate * MS_PER_CHARACTER // 1000 - pulse))


class ToneTranscriber:
    """Transcribes the synthetic voice, from any pause in it on; it never guesses."""

    def transcribe(self, pcm: bytes, rate: int) -> str:
        """Returns the words of one turn.

        Args:
            pcm: 16-bit samples, mono.
            rate: Samples a second; a multiple of 8000.

        Raises:
            NotUnderstood: The audio holds anything but the synthetic voice.
        """
        if rate % _RATE:
            raise NotUnderstood(_NOT_UNDERSTOOD)
        try:
            text = bytes(_symbols(_narrowed(pcm, rate // _RATE))).decode()
        except UnicodeDecodeError:
            raise NotUnderstood(_NOT_UNDERSTOOD) from None
        if any(character not in _SAYABLE and (character < " " or character == "\x7f") for character in text):
            raise NotUnderstood(_NOT_UNDERSTOOD)
        return text


def _narrowed(pcm: bytes, step: int) -> "array[int]":
    """Resample to 8 kHz, without a filter, which the tones do not need, and put some silence around the samples."""
    samples = array("h", pcm[: len(pcm) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return array("h", bytes(6 * _BLOCK)) + samples[::step] + array("h", bytes(16 * _BLOCK))


def _symbols(samples: "array[int]") -> Iterator[int]:
    # A session without audio starts faster without it.
    from runner.audio.samples import loudness

    packed, width = samples.tobytes(), 2 * _BLOCK
    levels = [loudness(packed[at : at + width]) for at in range(0, len(packed) - width + 1, width)]
    onset = max(max(levels) * _ONSET, _QUIETEST)
    at = _next_onset(levels, 0, onset)
    if at is None:
        raise NotUnderstood(_NOT_UNDERSTOOD)
    quietest, loudest, run = math.inf, 0.0, 0
    while at is not None:
        level = max(levels[at : at + _PULSE_MS])
        quietest, loudest = min(quietest, level), max(loudest, level)
        gap = levels[at + _PULSE_MS : at + MS_PER_CHARACTER]
        if not gap or min(gap) > _GAP * level or loudest > _UNEVENNESS * quietest:
            raise NotUnderstood(_NOT_UNDERSTOOD)
        # The fade is half over where the onset is found.
        begin = at * _BLOCK - _BLOCK // 2
        yield _byte(samples[begin : begin + _PULSE])
        following, run = _next_onset(levels, at + _PULSE_MS + 1, onset), run + 1
        if following is None or following - at >= MS_PER_CHARACTER + _PAUSE_MS:
            # A pulse by itself is a beep like many others.
            if run == 1:
                raise NotUnderstood(_NOT_UNDERSTOOD)
            run = 0
        elif abs(following - at - MS_PER_CHARACTER) > _JITTER_MS:
            raise NotUnderstood(_NOT_UNDERSTOOD)
        at = following


def _next_onset(levels: Sequence[float], begin: int, least: float) -> int | None:
    return next((at for at in range(begin, len(levels)) if levels[at] >= least), None)


def _byte(pulse: Sequence[int]) -> int:
    """The byte of a pulse in which two tones stand out clearly, and nothing else does."""
    window, whole, power, waves = _analysis()
    if len(pulse) < _PULSE:
        raise NotUnderstood(_NOT_UNDERSTOOD)
    windowed = list(map(mul, pulse, window))
    total = sum(map(mul, windowed, windowed)) / power
    period = [first + second for first, second in zip(windowed[:_PERIOD], windowed[_PERIOD:], strict=True)]
    powers = [
        2 * (sum(map(mul, period, real)) ** 2 + sum(map(mul, period, imaginary)) ** 2) / whole**2
        for real, imaginary in waves
    ]
    low, high = powers[: len(_LOW_HZ)], powers[len(_LOW_HZ) :]
    weaker, stronger = sorted((max(low), max(high)))
    if weaker + stronger < _PURITY * total or stronger > _TWIST * weaker:
        raise NotUnderstood(_NOT_UNDERSTOOD)
    return low.index(max(low)) << 4 | high.index(max(high))


_Waves = list[tuple[list[float], list[float]]]


@cache
def _analysis() -> tuple[list[float], float, float, _Waves]:
    """A window that separates neighbouring tones, its sums, and one period of every tone."""
    window = [math.sin(math.pi * (index + 0.5) / _PULSE) ** 2 for index in range(_PULSE)]
    turns = [[2 * math.pi * hz * index / _RATE for index in range(_PERIOD)] for hz in (*_LOW_HZ, *_HIGH_HZ)]
    waves = [([math.cos(each) for each in turn], [math.sin(each) for each in turn]) for turn in turns]
    return window, sum(window), sum(map(mul, window, window)), waves
