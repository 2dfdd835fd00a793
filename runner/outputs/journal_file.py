"""The file of a journal that is being written, and those set aside before it."""

import os
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from runner.append_file import finish, is_regular, lock, not_opened, open_append
from runner.errors import OutputError
from runner.journal.reading import part_path
from runner.standard_streams import put_all

_PIECE_BYTES = 1024 * 1024


class JournalFile:
    """A file that lines are appended to, and that is set aside when it has grown too large.

    Args:
        path: The file; folders are made.
        max_bytes: What it may hold; a single longer line still gets a file of its own.
        keep: How many files are kept, the one being written included.

    Raises:
        OutputError: the file cannot be opened, or another session writes it.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        self._path = path
        self._name = f"the journal {path}"
        self._max_bytes = max_bytes
        self._keep = keep
        try:
            self._file, self._size_bytes = self._opened()
            if _is_cut(path):
                self._put(b"\n")
        except (OSError, ValueError) as error:
            raise not_opened(self._name, error) from None

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
        for number in range(self._keep - 1, 1, -1):
            older = part_path(self._path, number - 1)
            if older.exists():
                older.replace(part_path(self._path, number))
        following = self._path.with_name(f"{self._path.name}.next")
        file = open_append(following)
        try:
            # It is locked before it gets the journal's name, so that nobody comes between the two.
            lock(file, self._name)
            if self._keep > 1:
                _name_aside(self._path, part_path(self._path, 1))
            following.replace(self._path)
        except BaseException:
            file.close()
            raise
        before, self._file, self._size_bytes = self._file, file, 0
        finish(before)

    def _opened(self) -> tuple[FileIO, int]:
        while True:
            file = open_append(self._path)
            try:
                lock(file, self._name)
            except OutputError:
                file.close()
                raise
            if not is_regular(file):
                return file, 0
            if _is_at(file, self._path):
                return file, os.fstat(file.fileno()).st_size
            # Another session has set it aside since it was opened.
            file.close()


def _name_aside(path: Path, aside: Path) -> None:
    """Give a file another name, beside its own where the file system can do that; one that has gone needs none."""
    if path.exists():
        aside.unlink(missing_ok=True)
        try:
            aside.hardlink_to(path)
        except OSError:
            path.replace(aside)


def _is_at(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _is_cut(path: Path) -> bool:
    """Whether the last line lacks its end, because what wrote it had crashed."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
