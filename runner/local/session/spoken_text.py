"""A text that is spoken while it is still being written: whole sentences at a time."""

import re
from collections import deque
from collections.abc import Iterator
from typing import Final

from runner.local.speech.interfaces import Synthesizer

_END: Final = re.compile(r"""[.!?\u2026]+["'\u201d\u2019)\]]*(?=\s)|[\u3002\uff01\uff1f]|\n""")
"""Where a sentence ends, once it is known that it does."""
_BREAK: Final = re.compile(r"[,;:—]\s|\s")
_CLAUSE: Final = re.compile(r"[,;:\u2014](?=\s)")
_LONGEST: Final = 240
"""A sentence with more letters is spoken in parts."""
_SHORTEST_CLAUSE: Final = 24
"""So many letters of the first sentence are enough for a beginning, where a clause of it ends: who listens waits."""


class SpokenText(Iterator[tuple[str, bytes]]):
    """Speaks sentences as they come; the pieces are those of the voice, and all their texts together are the text.

    Args:
        voice: The voice.
        rate: Samples a second.

    Attributes:
        is_being_spoken: Whether its caller is at the next piece.
    """

    def __init__(self, voice: Synthesizer, rate: int) -> None:
        self.is_being_spoken = False
        self._voice = voice
        self._rate = rate
        self._unfinished = ""
        self._has_begun = False
        self._sentences: deque[str] = deque()
        self._pieces: Iterator[tuple[str, bytes]] = iter(())

    def add(self, text: str) -> None:
        """Add text, which is spoken once its sentence is complete."""
        self._unfinished += text
        while cut := _cut(self._unfinished) or (0 if self._has_begun else _first_clause(self._unfinished)):
            self._has_begun = True
            self._sentences.append(self._unfinished[:cut])
            self._unfinished = self._unfinished[cut:]

    def end(self) -> None:
        """The text is whole: what is left of it is spoken too."""
        if self._unfinished:
            self._sentences.append(self._unfinished)
            self._unfinished = ""

    @property
    def has_sentence(self) -> bool:
        """Whether a sentence waits to be spoken."""
        return bool(self._sentences)

    def __next__(self) -> tuple[str, bytes]:
        """The next piece; where none has come yet, one may follow later all the same."""
        while (piece := next(self._pieces, None)) is None:
            if not self._sentences:
                raise StopIteration
            self._pieces = iter(self._voice.speak(self._sentences.popleft(), self._rate))
        return piece


def _first_clause(text: str) -> int:
    """Where the first clause of a text ends that is long enough to begin with; 0 where there is none yet."""
    found = _CLAUSE.search(text, _SHORTEST_CLAUSE)
    return found.end() if found else 0


def _cut(text: str) -> int:
    """Where the first sentence of a text ends; 0 where that is not known yet."""
    start = len(text) - len(text.lstrip())
    if found := _END.search(text, start):
        return found.end()
    if len(text) <= _LONGEST:
        return 0
    breaks = [each.end() for each in _BREAK.finditer(text, start + 1, _LONGEST)]
    return breaks[-1] if breaks else _LONGEST
