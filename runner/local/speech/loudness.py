"""The detector without models: whatever is loud enough counts as speech."""

import math
from typing import Final

from runner.local.speech.interfaces import Frame

FRAME_MS: Final = 20
_SILENT_DB: Final = -60.0
_RANGE_DB: Final = 40.0


class LoudnessDetector:
    """Maps loudness to a probability: -60 dBFS to 0, -20 dBFS to 1, so that a threshold of 0.5 is -40 dBFS.

    Args:
        rate: Samples a second.
    """

    def __init__(self, rate: int) -> None:
        self._frame_bytes = 2 * rate * FRAME_MS // 1000
        self._rest = b""
        # A session without audio starts faster without it.
        from runner.audio.samples import loudness

        self._loudness = loudness

    def detect(self, pcm: bytes) -> list[Frame]:
        """Returns the frames of 20 ms that these samples complete, in order; the rest waits for the next samples."""
        pcm = self._rest + pcm
        step = self._frame_bytes
        whole = len(pcm) - len(pcm) % step
        self._rest = pcm[whole:]
        return [Frame(FRAME_MS, _probability(self._loudness(pcm[at : at + step]))) for at in range(0, whole, step)]


def _probability(level: float) -> float:
    if not level:
        return 0.0
    return min(1.0, max(0.0, (20 * math.log10(level) - _SILENT_DB) / _RANGE_DB))
