"""Text to speech by hibari's English model."""

import re
from collections.abc import Iterator
from threading import Lock
from typing import Final

from runner.audio.resampling import Resampler

_LONGEST: Final = 120
"""Characters that are synthesized at once; their audio starts when all of them are ready."""
_AUDIBLE: Final = 0.005
_BEFORE_MS: Final = 60
_AFTER_MS: Final = 240
"""Silence that is kept around a clause; the model makes more, for which the client would wait."""
_CLAUSE: Final = re.compile(r"[,;:—]\s+")
_SPACE: Final = re.compile(r"\s+")
_WORD: Final = re.compile(r"\s*\S+|\s+")


class HibariVoice:
    """Speaks English text in hibari's own voice.

    Raises:
        ImportError: The model is not installed.
    """

    def __init__(self) -> None:
        from hibari import SAMPLE_RATE, Hibari

        self._rate: int = SAMPLE_RATE
        self._split = Hibari.split_sentences
        # This voice lies in the package; any other one would be fetched from the network.
        self._model = Hibari(voice="heart", threads=1)
        self._lock = Lock()

    def speak(self, text: str, rate: int) -> Iterator[tuple[str, bytes]]:
        """Returns the text word by word, each with its audio: 16-bit samples, mono, `rate` a second.

        The model synthesizes a sentence or a clause at once; the place of a word in its audio is estimated from the
        lengths of the words. A word that the model cannot speak, such as an emoji, has no audio of its own.
        """
        resampler = Resampler(self._rate, rate)
        clauses = [clause for sentence in self._sentences(text) for clause in _clauses(sentence)]
        for number, clause in enumerate(clauses, start=1):
            pcm = resampler.convert(self._synthesize(clause), last=number == len(clauses))
            yield from _words(clause, pcm)

    def _sentences(self, text: str) -> Iterator[str]:
        """The sentences with all characters between them, so that together they are the text."""
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
    """A sentence in parts; a long one is cut at a comma or a space, or anywhere if it has none."""
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
