"""What the user says, in the pieces in which its transcript comes."""

from collections import OrderedDict
from typing import Final

MAX_TRANSCRIPTS: Final = 1024
"""How many unfinished transcripts are remembered; the oldest are forgotten first."""


class Transcripts:
    """The pieces of each transcript that is not finished, by its item."""

    def __init__(self) -> None:
        self._pieces: OrderedDict[str, list[str]] = OrderedDict()

    def add(self, item_id: str, piece: str) -> None:
        """A piece has come."""
        pieces = self._pieces.get(item_id)
        if pieces is None:
            pieces = self._pieces[item_id] = []
            if len(self._pieces) > MAX_TRANSCRIPTS:
                self._pieces.popitem(last=False)
        pieces.append(piece)

    def end(self, item_id: str) -> list[str]:
        """The transcript is over; returns its pieces."""
        return self._pieces.pop(item_id, [])
