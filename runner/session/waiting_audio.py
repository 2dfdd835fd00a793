"""Audio that waits for a connection, and is dropped rather than sent late."""

from collections import deque

import anyio

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""The most audio that waits, in bytes, whatever age it may reach: five minutes of PCM."""


class WaitingAudio:
    """What was said while no connection was there.

    Args:
        max_age_s: How long a piece may wait, in seconds.
    """

    def __init__(self, max_age_s: float) -> None:
        self.dropped_bytes = 0
        self._max_age_s = max_age_s
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._size_bytes = 0

    def put(self, audio: bytes | bytearray | memoryview) -> None:
        """Keep a piece, at the cost of those that are too old."""
        piece = bytes(audio)
        if not piece:
            return
        self._pieces.append((anyio.current_time(), piece))
        self._size_bytes += len(piece)
        self._forget()

    def first(self) -> bytes:
        """The piece that has waited longest and is still young enough, nothing where there is none."""
        self._forget()
        return self._pieces[0][1] if self._pieces else b""

    def sent(self, piece: bytes) -> None:
        """A piece waits no longer."""
        if self._pieces and self._pieces[0][1] is piece:
            self._pieces.popleft()
            self._size_bytes -= len(piece)

    def _forget(self) -> None:
        oldest_s = anyio.current_time() - self._max_age_s
        while self._pieces and (self._pieces[0][0] < oldest_s or self._size_bytes > MAX_WAITING_BYTES):
            piece = self._pieces.popleft()[1]
            self._size_bytes -= len(piece)
            self.dropped_bytes += len(piece)
