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
"""So many frames of a passage are surely speech: of less, such as a breath, the model makes words that nobody said."""
_BEFORE: Final = 3
_AFTER: Final = 16
"""Frames that are kept around speech: much silence before it makes the model hear worse, some after it better."""
_PAUSE: Final = round(1000 / FRAME_MS)
_LONGEST: Final = round(14_000 / FRAME_MS)
"""The model loses its thread in passages of more than half a minute."""


class MoonshineTranscriber:
    """Writes down what was said in English.

    Raises:
        ImportError: The model is not installed.
        OSError: It does not run on this machine.
        MoonshineError: Its weights are not there.
    """

    def __init__(self) -> None:
        from moonshine_voice import ModelArch, MoonshineError, get_model_path
        from moonshine_voice.transcriber import Transcriber

        self._error = MoonshineError
        # Its own turn detection is off: what it is asked to read is speech already.
        self._model = Transcriber(get_model_path("tiny-en"), ModelArch.TINY, options={"vad_threshold": 0})
        self._lock = Lock()

    def transcribe(self, pcm: bytes, rate: int) -> str:
        """The words of one turn; several threads may ask, and take turns.

        Args:
            pcm: 16-bit samples, mono.
            rate: Samples a second.

        Raises:
            NotUnderstood: Nobody speaks in it, or the words cannot be told.
        """
        samples = Resampler(rate, RATE).convert(pcm, last=True)
        frames = SileroDetector(RATE).detect(samples + bytes(-len(samples) % _FRAME_BYTES))
        speech = list(passages([frame.probability for frame in frames]))
        if not speech:
            msg = "nobody speaks in this audio"
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
    """The stretches to be read one by one, as first frame and the one after the last.

    Long pauses stay out, and what goes on for too long is cut where it is quietest.

    Args:
        probabilities: How likely somebody speaks, for each frame.
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
            # The last part is long enough to be understood, too.
            latest = min(first + _LONGEST, last - _LONGEST // 4)
            cut = min(range(first + _LONGEST // 2, latest), key=probabilities.__getitem__)
            yield first, cut
            first = cut
        yield first, last
