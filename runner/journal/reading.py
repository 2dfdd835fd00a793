"""The files of a journal: FILE is written, FILE.1 was before it, FILE.2 before that."""

from collections.abc import Callable, Iterator
from itertools import count, takewhile
from pathlib import Path

from runner.errors import InputError, reason_of
from runner.journal.record import Record, parsed

MAX_LINE_BYTES = 64 * 1024 * 1024
"""The longest line that is read; no event is as long."""

_MAX_STRANGE_LINES = 100


def parts(path: Path) -> list[Path]:
    """The files of a journal, the oldest first; where there are none, `path` itself."""
    older = takewhile(Path.exists, (part_path(path, number) for number in count(1)))
    found = [*([path] if path.exists() else []), *older]
    return found[::-1] or [path]


def read_journal(path: Path, warn: Callable[[str], None]) -> Iterator[Record]:
    """The records of a journal, set-aside files first.

    Args:
        path: The file.
        warn: Called with each line that is left out because it is no record, such as one that a crash has cut.

    Raises:
        InputError: a file cannot be read, or is no journal.
    """
    for part in parts(path):
        try:
            yield from _records(part, warn)
        except OSError as error:
            msg = f"the journal {part} cannot be read: {reason_of(error)}"
            raise InputError(msg) from None


def _records(path: Path, warn: Callable[[str], None]) -> Iterator[Record]:
    strange: list[str] = []
    known = False
    with path.open("rb") as file:
        for number, text in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
            if not text.strip():
                continue
            try:
                record = parsed(text)
            except ValueError as error:
                strange.append(f"{path}:{number}: {error}")
            else:
                known = True
                yield record
            if known:
                for each in strange:
                    warn(each)
                strange.clear()
            elif len(strange) >= _MAX_STRANGE_LINES or len(text) >= MAX_LINE_BYTES:
                break
    if strange:
        msg = f"the file {path} is no journal: {strange[0].removeprefix(f'{path}:')}"
        raise InputError(msg, hint="name a file that a profile's `[journal]` has written")


def part_path(path: Path, number: int) -> Path:
    """The file that was set aside as the `number`th; 0 is the one being written."""
    return Path(f"{path}.{number}") if number else path
