"""Whether the user has spoken over what the model of a Live session said: no event says so, and it follows from places.

A model that is spoken over falls silent in the middle of a sentence, at the place on the session's timeline at which
the user has begun to speak, or soon after it.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from runner.protocol.voices import SpeechPlace

_STOPS_WITHIN_MS: Final = 2_000
"""A model that goes on for longer was not stopped, in milliseconds."""
_PRECISION_MS: Final = 300
"""So much before the user's first word the model's last one may end, though that has stopped it, in milliseconds."""
_REMEMBERED: Final = 8
"""So many beginnings of the user are remembered: words of the model that lie before the latest may come after it."""
_LAST_LETTERS: Final = 8
"""So many letters of an answer show whether it ends a sentence."""
_END: Final = re.compile(r"""[.!?\u2026\u3002\uff01\uff1f]["'\u201d\u2019)\]]*\s*$""")
"""The end of a sentence."""


class SpokenOver:
    """One turn of the model, and where the user began to speak since it began.

    Args:
        item_id: The item of the turn.

    Attributes:
        item_id: As above.
        sound_characters: How much of its audio has come up to its last sound, in characters of base64.
    """

    def __init__(self, item_id: str = "") -> None:
        self.item_id = item_id
        self.sound_characters = 0
        self._words = ""
        self._start_ms: int | None = None
        self._end_ms = 0
        self._begun_ms: deque[int] = deque(maxlen=_REMEMBERED)
        self._is_told = False

    def say(self, words: str, place: SpeechPlace) -> None:
        """The model says something."""
        self._words = f"{self._words}{words}"[-_LAST_LETTERS:]
        if place.start_ms is not None:
            self._start_ms = place.start_ms if self._start_ms is None else self._start_ms
            self._end_ms = max(self._end_ms, place.end_ms or place.start_ms)

    def speak_up(self, start_ms: int) -> None:
        """A turn of the user begins at this place."""
        self._begun_ms.append(start_ms)

    @property
    def said_ms(self) -> int:
        """How long the model has spoken, by the places of its words."""
        return self._end_ms - (self._start_ms or 0)

    @property
    def is_interrupted(self) -> bool:
        """Whether the model has stopped because of the user, by all that is known so far."""
        if self._start_ms is None or _END.search(self._words):
            return False
        earliest_ms = max(self._start_ms, self._end_ms - _STOPS_WITHIN_MS)
        return any(earliest_ms < each <= self._end_ms + _PRECISION_MS for each in self._begun_ms)

    def is_news(self) -> bool:
        """Whether an interruption is known that was not asked for here before."""
        is_news, self._is_told = self.is_interrupted and not self._is_told, self._is_told or self.is_interrupted
        return is_news
