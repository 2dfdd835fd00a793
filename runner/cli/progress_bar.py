"""One row of a terminal that shows how far a batch has come, below the lines of the log."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import suppress
from typing import Final

from runner.cli.plain_text import plain_line
from runner.standard_streams import STDERR

_CLEAR: Final = "\r\x1b[K"
_BAR_COLUMNS: Final = 20


class ProgressBar:
    """Draws the row; it leads what else is written to the terminal, so that lines of the log stand above it.

    Args:
        title: What the row begins with.
    """

    def __init__(self, title: str) -> None:
        self._title = plain_line(title)
        self._drawing = threading.Lock()
        self._shown = ""

    def put_text(self, text: str) -> bool:
        """Draw text as whole lines."""
        return self.put_lines(text)

    def put_lines(self, text: str) -> bool:
        """Draw lines above the row."""
        with self._drawing:
            _put(f"{_CLEAR if self._shown else ''}{text}{self._shown}")
        return True

    def draw(self, share: float, text: str) -> None:
        """Show how much of the batch is done, from 0 to 1, and a text beside it; it waits for the terminal."""
        full = round(share * _BAR_COLUMNS)
        row = f"{self._title} {'━' * full}{'┄' * (_BAR_COLUMNS - full)} {text}"
        with self._drawing:
            self._shown = row[: shutil.get_terminal_size().columns - 1]
            _put(_CLEAR + self._shown)

    def remove(self) -> None:
        """Leave the row empty."""
        with self._drawing:
            if self._shown:
                _put(_CLEAR)
            self._shown = ""


def _put(text: str) -> None:
    data = text.encode(errors="replace")
    with suppress(OSError):  # a terminal that is gone must not end the batch
        while data:
            data = data[os.write(STDERR, data) :]
