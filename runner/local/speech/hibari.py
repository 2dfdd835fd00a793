"""Text to speech by hibari's English model."""

import re
from collections.abc import Iterator
from threading import Lock
from typing import Final

from runner.audio.resampling import Resampler

_LONGEST: Final = 120
"""Characters that are synthesized at once; the first of them are heard when all of them are ready."""
_AUDIBLE: Final = 0.005
_BEFORE_MS: Final = 60
_AFTER_MS: Final = 240
"""Silence that is kept around what is synthesized; the model gives more, and all of it would be waited for."""
_CLAUSE: Final = re.compile(r"[,;:—]\s+")
_SPACE: Final = re.compile(r"\s+")
_WORD: Final = re.compile(r"\s*\S+|\s+")


class HibariVoice:
    """Says English text in hibari's own voice.

    Raises:
        ImportError: The model is not installed.
    """

    def __init__(self) -> None:
        from hibari import SAMPLE_RATE, Hibari

        self._rate: int = SAMPLE_RATE
        self._split = Hibari.split_sentences
        # The voice that lies in the package; any other would be fetched from the network.
        self._model = Hibari(voice="heart", threads=1)
        self._lock = Lock()

    def speak(self, text: str, rate: int) -> Iterator[tuple[str, bytes]]:
        """The text word by word, each with its sound: 16-bit samples, mono, at this rate.

        What is synthesized at once is a sentence or a clause; where in it a word sounds is estimated by the words'
        lengths. What cannot be said, such as an emoji, comes with no sound of its own.
        """
        resampler = Resampler(self._rate, rate)
        clauses = [clause for sentence in self._sentences(text) for clause in _clauses(sentence)]
        for number, clause in enumerate(clauses, start=1):
            pcm = resampler.convert(self._synthesize(clause), last=number == len(clauses))
            yield from _words(clause, pcm)

    def _sentences(self, text: str) -> Iterator[str]:
        """The sentences with all that stands between them, so that together they are the text."""
        begin = end = 0
        for sentence in self._split(text):
            at = text.index(sentence, end)
            if end:
                yield text[begin:at]
                begin = at
            end = at + len(sentence)
        if text:
            yield text[begin:]

    def _synthesize(self, clause: str) -> bytes:
        import numpy as np

        with self._lock:
            # With a seed the same words always sound the same.
            samples = self._model(clause.strip(), seed=0)
        audible = np.flatnonzero(np.abs(samples) > _AUDIBLE)
        if not audible.size:
            return b""
        before, after = self._rate * _BEFORE_MS // 1000, self._rate * _AFTER_MS // 1000
        samples = samples[max(0, audible[0] - before) : audible[-1] + after]
        return bytes((np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes())


def _clauses(sentence: str) -> Iterator[str]:
    """A sentence, cut where one may draw breath if it is long, and anywhere if there is no such place."""
    while len(sentence) > _LONGEST:
        cuts = [found.end() for pattern in (_SPACE, _CLAUSE) for found in pattern.finditer(sentence, 1, _LONGEST)]
        cut = cuts[-1] if cuts else _LONGEST
        yield sentence[:cut]
        sentence = sentence[cut:]
    yield sentence


def _words(clause: str, pcm: bytes) -> Iterator[tuple[str, bytes]]:
    written, begin, samples = 0, 0, len(pcm) // 2
    for found in _WORD.finditer(clause):
        written = found.end()
        end = 2 * (samples * written // len(clause))
        yield found.group(), pcm[begin:end]
        begin = end
