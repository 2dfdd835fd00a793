"""Files that a session appends to: how they are opened, written whole, and brought to the disk."""

import errno
import fcntl
import os
import stat
from io import FileIO
from pathlib import Path

from runner import logs
from runner.errors import OutputError, reason_of

_OTHERS_READ = 0o044


def open_append(path: Path) -> FileIO:
    """Open a file for appending, for its owner only; folders are made, and no link is followed to a file elsewhere.

    A file that others can read already is told in the log.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be opened.
        ValueError: Its name holds NUL.
    """
    make_folder(path.parent)
    # `/dev/stdout` is a link by which a program is given what it may write to.
    links = 0 if path.is_relative_to("/dev") or path.is_relative_to("/proc") else os.O_NOFOLLOW
    # Only its owner may read what is said in a session.
    try:
        file = FileIO(path, "ab", opener=lambda name, flags: os.open(name, flags | links, mode=0o600))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a symbolic link") from None
        raise
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode) and status.st_mode & _OTHERS_READ:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        logs.logger().warning("file_readable_by_others", path=str(path), mode=mode, hint=f"chmod 600 {path}")
    return file


def make_folder(path: Path) -> None:
    """Make a folder and those above it, for their owner only; raises `OSError`."""
    for folder in [*reversed(path.parents), path]:
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)


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


def sync_folder(path: Path) -> None:
    """Bring to the disk which files a folder has; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def finish(file: FileIO) -> None:
    """Bring what was written to the disk, where there is one, and close; raises `OSError`."""
    with file:
        if is_regular(file):
            os.fsync(file.fileno())
