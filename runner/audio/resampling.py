"""From one rate to another, a piece at a time, without a click between pieces."""

from typing import Any

from runner.errors import ProfileError
from runner.installation import install_command


class Resampler:
    """Converts one stream of 16-bit samples of one channel; the filter remembers what came before.

    Args:
        from_rate: The rate of the samples to convert, in samples a second.
        to_rate: The rate of the converted samples.

    Raises:
        ProfileError: The rates differ and the library is not installed.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._stream: Any = None
        if from_rate == to_rate:
            return
        try:
            import soxr
        except ImportError:
            msg = f"audio of {from_rate} Hz must be resampled to {to_rate} Hz, which needs soxr"
            raise ProfileError(msg, hint=install_command("audio")) from None
        self._stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16", quality="HQ")

    def convert(self, pcm: bytes, *, last: bool = False) -> bytes:
        """These samples at the other rate, as far as the filter has them already; `last` brings the rest."""
        if self._stream is None:
            return pcm
        import numpy as np

        converted = self._stream.resample_chunk(np.frombuffer(pcm, dtype="<i2"), last=last)
        return bytes(converted.astype("<i2").tobytes())
