"""The file of a journal that is being written, and those set aside before it."""

import os
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from runner.journal.reading import part_path
from runner.outputs.append_file import finish, is_regular, not_opened, open_append, put_all

_PIECE_BYTES = 1024 * 1024


class JournalFile:
    """A file that lines are appended to, and that is set aside when it has grown too large.

    Args:
        path: The file; folders are made.
        max_bytes: What it may hold; a single longer line still gets a file of its own.
        keep: How many files are kept, the one being written included.

    Raises:
        OutputError: the file cannot be opened.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        try:
            self._file, self._size_bytes = _opened(path)
            if _is_cut(path):
                self._put(b"\n")
        except (OSError, ValueError) as error:
            raise not_opened(f"the journal {path}", error) from None

    def append(self, lines: Iterable[str]) -> None:
        """Write lines; raises `OSError`."""
        waiting = bytearray()
        for text in lines:
            data = text.encode() + b"\n"
            if self._size_bytes + len(waiting) + len(data) > self._max_bytes and self._size_bytes + len(waiting):
                self._put(waiting)
                waiting.clear()
                self._rotate()
            waiting += data
            if len(waiting) >= _PIECE_BYTES:
                self._put(waiting)
                waiting.clear()
        self._put(waiting)

    def finish(self) -> None:
        """Bring everything to the disk, and close; raises `OSError`, and does nothing a second time."""
        if not self._file.closed:
            finish(self._file)

    def close(self) -> None:
        """Close at once; a second time does nothing."""
        self._file.close()

    def _put(self, data: bytes | bytearray) -> None:
        put_all(self._file, data)
        self._size_bytes += len(data)

    def _rotate(self) -> None:
        if not is_regular(self._file):
            return
        self.finish()
        for number in range(self._keep - 1, 0, -1):
            older = part_path(self._path, number - 1)
            if older.exists():
                older.replace(part_path(self._path, number))
        if self._keep == 1:
            self._path.unlink(missing_ok=True)
        self._file, self._size_bytes = _opened(self._path)


def _opened(path: Path) -> tuple[FileIO, int]:
    file = open_append(path)
    return file, os.fstat(file.fileno()).st_size if is_regular(file) else 0


def _is_cut(path: Path) -> bool:
    """Whether the last line lacks its end, because what wrote it had crashed."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
