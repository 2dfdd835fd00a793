"""Audio that waits for a connection, and is dropped rather than sent late."""

from collections import deque
from typing import NamedTuple

import anyio

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""The most audio that waits, in bytes, whatever age it may reach: five minutes of PCM."""


class WaitingPiece(NamedTuple):
    """A piece of audio that waits."""

    since_s: float
    """Since when, on the event loop's clock, in seconds."""
    audio: bytes
    event_id: str
    """The id of the client event that will bring it; nothing where any will do."""


class WaitingAudio:
    """The audio that was appended while the session had no connection.

    Args:
        max_age_s: How long a piece may wait, in seconds.
    """

    def __init__(self, max_age_s: float) -> None:
        self.dropped_bytes = 0
        self._max_age_s = max_age_s
        self._pieces: deque[WaitingPiece] = deque()
        self._size_bytes = 0

    def put(self, audio: bytes | bytearray | memoryview, event_id: str = "") -> None:
        """Keep a piece, at the cost of those that are too old."""
        piece = WaitingPiece(anyio.current_time(), bytes(audio), event_id)
        if not piece.audio:
            return
        self._pieces.append(piece)
        self._size_bytes += len(piece.audio)
        self._drop()

    def first(self) -> WaitingPiece | None:
        """The piece that has waited longest and is still young enough."""
        self._drop()
        return self._pieces[0] if self._pieces else None

    def sent(self, piece: WaitingPiece) -> None:
        """Forget a piece that was sent."""
        if self._pieces and self._pieces[0] is piece:
            self._pieces.popleft()
            self._size_bytes -= len(piece.audio)

    def _drop(self) -> None:
        oldest_s = anyio.current_time() - self._max_age_s
        while self._pieces and (self._pieces[0].since_s < oldest_s or self._size_bytes > MAX_WAITING_BYTES):
            size_bytes = len(self._pieces.popleft().audio)
            self._size_bytes -= size_bytes
            self.dropped_bytes += size_bytes
