"""The file of one session's state: one process at a time writes it, and what is written stays."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from io import FileIO
from typing import TYPE_CHECKING

from runner.append_file import is_regular, not_opened, open_append, sync_folder
from runner.errors import InputError, OutputError, reason_of
from runner.standard_streams import put_all

if TYPE_CHECKING:
    from pathlib import Path


class StateFile:
    """A file of lines that is this process's alone until it is closed; its methods block.

    Args:
        path: The file; it and its folders are made, for their owner only.

    Attributes:
        name: What messages call it.
        size_bytes: How large it is.

    Raises:
        OutputError: It cannot be written, or another process has it.
        InputError: It is no file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"the state {path}"
        self._next = path.with_name(f".{path.name}.new")
        self._file = self._opened()
        self.size_bytes = os.fstat(self._file.fileno()).st_size
        with suppress(OSError):
            # Another process was ended while it rewrote the file.
            self._next.unlink(missing_ok=True)

    def read(self) -> bytes:
        """All that is in it; raises `InputError`."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            msg = f"{self.name} cannot be read: {reason_of(error)}"
            raise InputError(msg) from None

    def hide(self) -> None:
        """Keep others from reading it, whatever they could before; where that cannot be, it stays as it is."""
        with suppress(OSError):
            os.fchmod(self._file.fileno(), 0o600)

    def cut(self, size_bytes: int) -> None:
        """Leave out what stands behind the first so many bytes: a line that was never written whole."""
        try:
            os.ftruncate(self._file.fileno(), size_bytes)
        except OSError as error:
            raise self._unwritten(error) from None
        self.size_bytes = size_bytes

    def append(self, data: bytes) -> None:
        """Append lines, which are on the disk when this returns, or not in the file when it raises `OutputError`."""
        try:
            put_all(self._file, data)
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file.fileno(), self.size_bytes)
            raise self._unwritten(error) from None
        self.size_bytes += len(data)

    def replace(self, data: bytes) -> None:
        """Have other lines take the place of all, at once: whoever reads it finds these or those.

        Raises:
            OutputError: They cannot be written; the file is as it was.
        """
        try:
            file = FileIO(self._next, "ab", opener=_begun)
        except OSError as error:
            raise self._unwritten(error) from None
        try:
            put_all(file, data)
            os.fsync(file.fileno())
            # Nobody gets hold of the file between the two.
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._next.replace(self.path)
        except OSError as error:
            file.close()
            with suppress(OSError):
                self._next.unlink(missing_ok=True)
            raise self._unwritten(error) from None
        self._file.close()
        self._file, self.size_bytes = file, len(data)
        try:
            sync_folder(self.path.parent)
        except OSError as error:
            raise self._unwritten(error) from None

    def close(self) -> None:
        """Leave the file to other processes; a second time does nothing."""
        self._file.close()

    def _opened(self) -> FileIO:
        while True:
            try:
                is_new = not self.path.exists()
                file = open_append(self.path)
            except (OSError, ValueError) as error:
                raise not_opened(self.name, error) from None
            try:
                self._lock(file)
                if self._is_there(file):
                    if is_new:
                        sync_folder(self.path.parent)
                    return file
            except BaseException:
                file.close()
                raise
            # Its owner has replaced it in the meantime.
            file.close()

    def _lock(self, file: FileIO) -> None:
        if not is_regular(file):
            msg = f"{self.name} is no file on a disk"
            raise InputError(msg)
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"{self.name} is in use: another process goes on with this session"
            hint = "end that one first, or put {session} or a variable into run.resume.path"
            raise OutputError(msg, hint=hint) from None
        except OSError as error:
            msg = f"{self.name} cannot be locked: {reason_of(error)}"
            raise OutputError(msg, hint="put it on a file system that knows locks") from None

    def _is_there(self, file: FileIO) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(file.fileno()), self.path.stat())
        return False

    def _unwritten(self, error: OSError) -> OutputError:
        match error.errno:
            case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
                hint = "make room; what was written before is still there"
            case errno.EBUSY:
                hint = "mount the folder that it is in, not the file alone: it is replaced when it is rewritten"
            case _:
                hint = ""
        return OutputError(f"{self.name} cannot be written: {reason_of(error)}", hint=hint)


def _begun(name: str, flags: int) -> int:
    """Open a file anew, for its owner only."""
    return os.open(name, flags | os.O_TRUNC | os.O_NOFOLLOW, mode=0o600)
