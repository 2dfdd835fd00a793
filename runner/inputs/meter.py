"""Bars of letters on the live line of a terminal: how loud, how far."""

from __future__ import annotations

import math
from typing import Final

_CELLS: Final = 8
_QUIETEST_DB: Final = -60.0
_LOUDEST_DB: Final = -12.0
_DECAY: Final = 0.85
"""What is left of a level with each piece of 20 ms that is quieter."""


class LevelMeter:
    """Shows how loud a microphone is: up at once, down slowly enough to be seen."""

    def __init__(self) -> None:
        self._level = 0.0

    def take(self, pcm: bytes) -> None:
        """Take in a piece of 16-bit samples."""
        from runner.audio.samples import loudness

        self._level = max(loudness(pcm), self._level * _DECAY)

    @property
    def text(self) -> str:
        """The level as a bar."""
        level_db = 20 * math.log10(self._level) if self._level else _QUIETEST_DB
        return bar((level_db - _QUIETEST_DB) / (_LOUDEST_DB - _QUIETEST_DB))


def bar(share: float, cells: int = _CELLS) -> str:
    """A bar of which so much is full, 0 to 1."""
    count = round(cells * min(1.0, max(0.0, share)))
    return "▮" * count + "▯" * (cells - count)
