"""What functions that are tools print: lines of the log, since standard output is the session's."""

from __future__ import annotations

import codecs
import os
import sys
import threading
from contextlib import contextmanager, nullcontext, redirect_stdout
from io import TextIOBase
from typing import TYPE_CHECKING, Final

from runner import logs
from runner.redaction import excerpt
from runner.standard_streams import STDOUT, kept, replaced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

_LONGEST_CHARACTERS: Final = 1000
_MOST_BEGUN: Final = 1024
_PART_BYTES: Final = 65536
_REST_S: Final = 0.5
"""How long the end waits for what was printed last, in seconds."""


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
        return os.isatty(kept(STDOUT)) if _is_descriptor(self._stdout) else self._stdout.isatty()

    def fileno(self) -> int:
        """The descriptor of standard output."""
        return kept(self._stdout.fileno())

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
    """Have what is printed in the block logged, also by the programs that functions start and by libraries in C."""
    printed = PrintedLines(sys.stdout)
    reads_descriptor = _is_descriptor(sys.stdout)
    try:
        with redirect_stdout(printed), _descriptor_read(printed) if reads_descriptor else nullcontext():
            yield
    finally:
        printed.end()


def _is_descriptor(stream: TextIO) -> bool:
    """Whether a stream is what the process has as standard output; a program may have put another in its place."""
    try:
        return stream.fileno() == STDOUT
    except (OSError, ValueError):
        return False


@contextmanager
def _descriptor_read(printed: PrintedLines) -> Iterator[None]:
    """Log what is written to the descriptor of standard output."""
    reading, writing = os.pipe()
    reader = threading.Thread(target=_read, args=(reading, printed), name="rt-run printed", daemon=True)
    reader.start()
    try:
        with os.fdopen(writing, "wb"), replaced(STDOUT, writing):
            yield
    finally:
        # Whoever was started and still runs may go on to write for as long as the process is there.
        reader.join(_REST_S)


def _read(descriptor: int, printed: PrintedLines) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while part := pipe.read(_PART_BYTES):
            printed.write(decoder.decode(part))
    printed.flush()
