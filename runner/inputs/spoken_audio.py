"""What an input has said, by its loudness, and how much of it the endpoint has heard."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from runner.audio.samples import peak

if TYPE_CHECKING:
    from runner.session.session import Session

_BLOCK_MS = 100
_QUIET = 300
"""What is never louder than this is silence, in 16-bit samples."""
_BELOW_LOUDEST = 10
"""What is so many times quieter than the loudest is not said: 20 dB."""
_MARGIN_MS = 100
"""How much earlier than the speaker turn detection may end a turn, in milliseconds."""
_LEAST_MS = 200
"""What is shorter is a noise after something was heard, in milliseconds."""


class SpokenAudio:
    """Knows where in the audio that was sent something was said, and how far turn detection has come.

    What lies before the place that turn detection has reached is the endpoint's to judge, speech or not; what lies
    after it was not heard yet.

    Args:
        session: The session that the audio is sent to.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._peaks = array("H")
        """How loud each block is."""
        self._block_peak = self._block_bytes = 0
        """How loud the block is that has begun, and how much of it there is."""
        self._pending = session.state.pending
        self._sent_ms = self._before_ms = 0.0
        """How much was sent, and how much of it on connections before the present one."""
        self._loud: list[int] = []
        self._loud_of = 0
        """Where the loud blocks begin, in milliseconds, of so many blocks."""
        self.lost_s = 0.0
        """How much of what was said went with connections that were lost before they had heard it, in seconds."""

    def take(self, pcm: bytes, rate: int) -> None:
        """Take in 16-bit samples that are about to be sent."""
        samples = memoryview(pcm)[: len(pcm) // 2 * 2]
        size_bytes, at = 2 * max(1, rate * _BLOCK_MS // 1000), 0
        while at < len(samples):
            piece = samples[at : at + size_bytes - self._block_bytes]
            at += len(piece)
            self._block_bytes += len(piece)
            self._block_peak = max(self._block_peak, peak(piece))
            if self._block_bytes >= size_bytes:
                self._end_block()

    def sent(self, duration_ms: float) -> None:
        """Note that audio of this duration was sent, after all that was sent before."""
        self._look()
        self._sent_ms += duration_ms

    @property
    def rest_s(self) -> float:
        """How long it takes to hear what turn detection has not come to, in seconds; 0 where nothing was said there."""
        self._look()
        if self._block_bytes:
            self._end_block()
        said = self._said(self._reached_ms, self._sent_ms)
        return (said[-1] + _BLOCK_MS - self._reached_ms) / 1000 if said else 0.0

    def _look(self) -> None:
        """See whether there is another connection: it knows nothing of what was sent before."""
        pending = self._session.state.pending
        if pending is not self._pending:
            self.lost_s += len(self._said(self._reached_ms, self._sent_ms)) * _BLOCK_MS / 1000
            self._pending, self._before_ms = pending, self._sent_ms

    @property
    def _reached_ms(self) -> float:
        """How far turn detection has come in all that was sent, in milliseconds."""
        return self._before_ms + self._pending.heard_ms

    def _said(self, start_ms: float, end_ms: float) -> list[int]:
        """Where the blocks begin in which something is said between these places, in milliseconds."""
        if self._loud_of != len(self._peaks):
            self._loud_of = len(self._peaks)
            least = max(_QUIET, max(self._peaks, default=0) // _BELOW_LOUDEST)
            self._loud = [index * _BLOCK_MS for index, peak in enumerate(self._peaks) if peak >= least]
        first_ms = start_ms + (_MARGIN_MS if start_ms else 0)
        said = self._loud[bisect_left(self._loud, first_ms) : bisect_left(self._loud, end_ms)]
        return said if len(said) * _BLOCK_MS >= (_LEAST_MS if start_ms else _BLOCK_MS) else []

    def _end_block(self) -> None:
        self._peaks.append(self._block_peak)
        self._block_peak = self._block_bytes = 0
