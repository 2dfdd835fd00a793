"""Speech to text by moonshine's tiny English model."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from threading import Lock
from typing import Any, Final

from runner.audio.resampling import Resampler
from runner.local.speech.interfaces import NotUnderstood
from runner.local.speech.silero import FRAME_MS, RATE, SileroDetector

_FRAME_BYTES: Final = round(RATE * FRAME_MS / 1000) * 2
_LEAST: Final = 0.3
"""The probability from which a frame may belong to speech."""
_SURE: Final = 0.5
_FEWEST: Final = 3
"""So many frames of a passage are surely speech: for less, such as a breath, the model invents words."""
_BEFORE: Final = 3
_AFTER: Final = 16
"""Frames that are kept around speech: the model errs more with much silence before it, and less with some after it."""
_PAUSE: Final = round(1000 / FRAME_MS)
_LONGEST: Final = round(14_000 / FRAME_MS)
"""The model errs in passages of more than half a minute."""


class MoonshineTranscriber:
    """Transcribes English speech.

    Raises:
        ImportError: The model is not installed.
        OSError: The model does not run on this machine.
        MoonshineError: The weights of the model are missing.
    """

    def __init__(self) -> None:
        from moonshine_voice import ModelArch, MoonshineError, get_model_path
        from moonshine_voice.transcriber import Transcriber

        self._error = MoonshineError
        # Its own detector is off: it only gets passages with speech.
        self._model = Transcriber(get_model_path("tiny-en"), ModelArch.TINY, options={"vad_threshold": 0})
        self._lock = Lock()

    def transcribe(self, pcm: bytes, rate: int) -> str:
        """Returns the words of one turn; several threads may call this, one waits for the other.

        Args:
            pcm: 16-bit samples, mono.
            rate: Samples a second.

        Raises:
            NotUnderstood: The audio has no speech, or the model finds no words in it.
        """
        samples = Resampler(rate, RATE).convert(pcm, last=True)
        frames = SileroDetector(RATE).detect(samples + bytes(-len(samples) % _FRAME_BYTES))
        speech = list(passages([frame.probability for frame in frames]))
        if not speech:
            msg = "there is no speech in this audio"
            raise NotUnderstood(msg)
        texts = (self._read(samples[first * _FRAME_BYTES : last * _FRAME_BYTES]) for first, last in speech)
        if text := " ".join(filter(None, texts)):
            return text
        msg = "no words are understood in this audio"
        raise NotUnderstood(msg)

    def _read(self, pcm: bytes) -> str:
        import numpy as np

        floats: Any = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768
        # The model is not thread-safe: two threads at once would get garbage.
        with self._lock:
            try:
                lines = self._model.transcribe_without_streaming(floats.tolist(), RATE).lines
            except self._error as error:
                raise NotUnderstood(str(error)) from error
        return " ".join(line.text.strip() for line in lines).strip()


def passages(probabilities: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Returns the passages that the model reads one by one, each as its first frame and the one after its last.

    Long pauses are left out, and passages that are too long are cut where speech is least likely.

    Args:
        probabilities: The probability of speech in each frame.
    """
    voiced = [index for index, each in enumerate(probabilities) if each >= _LEAST]
    if not voiced:
        return
    gaps = [(before, after) for before, after in pairwise(voiced) if after - before > _PAUSE]
    begins = [voiced[0], *(after for _, after in gaps)]
    ends = [*(before for before, _ in gaps), voiced[-1]]
    for begin, end in zip(begins, ends, strict=True):
        if sum(each >= _SURE for each in probabilities[begin : end + 1]) < _FEWEST:
            continue
        first, last = max(0, begin - _BEFORE), min(len(probabilities), end + 1 + _AFTER)
        while last - first > _LONGEST:
            # The last part stays long enough for the model.
            latest = min(first + _LONGEST, last - _LONGEST // 4)
            cut = min(range(first + _LONGEST // 2, latest), key=probabilities.__getitem__)
            yield first, cut
            first = cut
        yield first, last
