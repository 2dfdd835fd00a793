"""What functions that are tools print: lines of the log, since standard output is the session's."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager, redirect_stdout
from io import TextIOBase
from typing import TYPE_CHECKING, Final

from runner import logs
from runner.redaction import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

_LONGEST_CHARACTERS: Final = 1000
_MOST_BEGUN: Final = 1024


class PrintedLines(TextIOBase):
    """Stands in for standard output: what is written becomes lines of the log, whoever writes them.

    Args:
        stdout: Standard output, which it is alike in all but what becomes of text.
    """

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout
        self._begun: dict[int, str] = {}
        """By thread, the line that it has begun."""

    def isatty(self) -> bool:
        """Whether standard output is a terminal."""
        return self._stdout.isatty()

    def fileno(self) -> int:
        """The descriptor of standard output."""
        return self._stdout.fileno()

    def writable(self) -> bool:
        """It can be written."""
        return True

    def write(self, text: str) -> int:
        """Log the lines that this ends."""
        thread = threading.get_ident()
        *lines, rest = (self._begun.pop(thread, "") + text).split("\n")
        for line in lines:
            _log(line)
        if len(rest) > _LONGEST_CHARACTERS or len(self._begun) >= _MOST_BEGUN:
            _log(rest)
        elif rest:
            self._begun[thread] = rest
        return len(text)

    def flush(self) -> None:
        """Log the line that this thread has begun."""
        _log(self._begun.pop(threading.get_ident(), ""))

    def end(self) -> None:
        """Log what was begun and not ended."""
        while self._begun:
            _log(self._begun.popitem()[1])


def _log(line: str) -> None:
    if line.strip():
        logs.logger().info("tool_printed", text=excerpt(line, _LONGEST_CHARACTERS))


@contextmanager
def printing_to_log() -> Iterator[None]:
    """Have what is printed in the block logged."""
    printed = PrintedLines(sys.stdout)
    try:
        with redirect_stdout(printed):
            yield
    finally:
        printed.end()
