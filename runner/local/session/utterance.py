"""Something that the model of a Live session says, from its text to its audio."""

from collections import deque
from collections.abc import Iterator

from runner.local.session.spoken_text import SpokenText

Piece = tuple[str, bytes]
"""Words, and their audio: 16-bit samples at the rate of the session."""


class Utterance:
    """Something that is said without a break, unless somebody speaks over it.

    Args:
        pieces: What is said, piece by piece; more may follow in a `SpokenText` until `end`.
        not_before_ms: The time of the session before which it does not begin.
        is_acknowledgement: Whether it only says that something is being done.

    Attributes:
        is_over: Whether it was said, or will never be.
        is_being_spoken: Whether a worker thread is at the next piece.
        ready_bytes: How much audio is ready, in bytes.
    """

    def __init__(
        self, pieces: Iterator[Piece], *, not_before_ms: float = 0.0, is_acknowledgement: bool = False
    ) -> None:
        self.not_before_ms = not_before_ms
        self.is_acknowledgement = is_acknowledgement
        self.is_over = False
        self.is_being_spoken = False
        self.ready_bytes = 0
        self._pieces = pieces
        self._written = pieces if isinstance(pieces, SpokenText) else None
        self._is_open_ended = self._written is not None
        self._ready: deque[Piece] = deque()
        self._is_dry = False
        """Whether there was no next piece when it was asked for last."""

    @property
    def has_next(self) -> bool:
        """Whether a next piece can be spoken."""
        return not self._is_dry or (self._written is not None and self._written.has_sentence)

    @property
    def is_said(self) -> bool:
        """Whether all pieces were taken, and none may follow."""
        return not (self._ready or self.is_being_spoken or self.has_next or self._is_open_ended)

    def add(self, text: str) -> None:
        """Add text; this needs a `SpokenText`."""
        if self._written is not None:
            self._written.add(text)

    def end(self) -> None:
        """No more text follows."""
        self._is_open_ended = False
        if self._written is not None:
            self._written.end()

    def speak(self) -> Piece | None:
        """The voice speaks the next piece; a worker thread may call this."""
        return next(self._pieces, None)

    def keep(self, piece: Piece | None) -> None:
        """Keep the piece that was spoken until it is said; None where there was none."""
        self._is_dry = piece is None
        if piece is not None:
            self._ready.append(piece)
            self.ready_bytes += len(piece[1])

    def take(self) -> Piece | None:
        """The next piece that is ready; None where none is."""
        if not self._ready:
            return None
        piece = self._ready.popleft()
        self.ready_bytes -= len(piece[1])
        return piece
