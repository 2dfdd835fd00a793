"""Files that a session appends to: how they are opened, written whole, and brought to the disk."""

import fcntl
import os
import stat
from functools import partial
from io import FileIO
from pathlib import Path

from runner.errors import OutputError, reason_of


def open_append(path: Path) -> FileIO:
    """Open a file for appending, for its owner only; folders are made. Raises `OSError`, and `ValueError` for NUL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Only its owner may read what is said in a session.
    return FileIO(path, "ab", opener=partial(os.open, mode=0o600))


def not_opened(what: str, error: Exception) -> OutputError:
    """The error that says why a file, such as `the journal x`, cannot be opened."""
    return OutputError(f"{what} cannot be opened: {reason_of(error)}")


def lock(file: FileIO, what: str) -> None:
    """Keep a file for this writer alone until it is closed; a pipe, a device and a file system without locks need none.

    Args:
        file: The open file.
        what: What messages call it.

    Raises:
        OutputError: another writer has it, of this process or of another one.
    """
    if not is_regular(file):
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        msg = f"{what} is being written by another session"
        raise OutputError(msg, hint="put {run_id} or {started} into its path, so that every run has its own") from None
    except OSError:
        return


def is_regular(file: FileIO) -> bool:
    """Whether it is a file on a disk, not a pipe or a device."""
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def finish(file: FileIO) -> None:
    """Bring what was written to the disk, where there is one, and close; raises `OSError`."""
    with file:
        if is_regular(file):
            os.fsync(file.fileno())
