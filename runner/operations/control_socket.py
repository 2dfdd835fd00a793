"""The control socket as a file: where it is, how it is made, and where those of other processes are."""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import re
import socket
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import OutputError, ProfileError, reason_of
from runner.settings.control import LONGEST_SOCKET_BYTES, runtime_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.settings.control import ControlSettings

_SERVICES = Path("/run/rt-run")
_PLACEHOLDER = re.compile(r"\{\w+\}")
_MODE = 0o600
_FOLDER_MODE = 0o700
_BACKLOG = 64
_LOCK_S = 5.0


def socket_path(settings: ControlSettings, names: Mapping[str, str], environ: Mapping[str, str]) -> Path:
    """The path of the control socket of a process.

    Args:
        settings: The profile's settings.
        names: The values of the placeholders in paths.
        environ: The environment.

    Raises:
        ProfileError: There is no place for it, or the path is too long for a socket.
    """
    if settings.path is not None:
        path = Path(settings.path.format_map(names)).absolute()
    elif folder := runtime_folder(environ):
        path = folder / "{profile}-{run_id}.sock".format_map(names)
    else:
        msg = "there is no place for the control socket: neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR is set"
        raise ProfileError(msg, hint="name one: --set control.path=support.sock", code="control-path")
    if (size := len(os.fsencode(path))) > LONGEST_SOCKET_BYTES:
        msg = f"the path of the control socket, {path}, has {size} bytes"
        hint = f"a socket's path has {LONGEST_SOCKET_BYTES} bytes at most; name a shorter one: control.path"
        raise ProfileError(msg, hint=hint, code="control-path")
    return path


def socket_paths(environ: Mapping[str, str]) -> list[Path]:
    """The sockets in these folders, and before them what `control.path` in the environment names, as in a container."""
    named = "*".join(map(glob.escape, _PLACEHOLDER.split(environ.get("RT_RUN_CONTROL__PATH", ""))))
    inside = [path for folder in socket_folders(environ) for path in sorted(folder.glob("*.sock"))]
    found = sorted(glob.glob(named))  # noqa: PTH207  # the pattern is a whole path
    return [*dict.fromkeys([*map(Path, found), *inside])]


def socket_folders(environ: Mapping[str, str]) -> Iterator[Path]:
    """The folders in which processes of this user have their sockets; root's are those of all services too."""
    if folder := runtime_folder(environ):
        yield folder
    if (home := environ.get("XDG_RUNTIME_DIR")) and environ.get("RUNTIME_DIRECTORY"):
        yield Path(home) / "rt-run"
    if os.geteuid() == 0:
        with suppress(OSError):
            yield from sorted(each for each in _SERVICES.iterdir() if each.is_dir())


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A socket that listens there, which only this user may open, for the length of the block; it does not block.

    One that nobody serves any more is replaced; one that is served is not.

    Raises:
        OutputError: It cannot be made, or another process serves it.
    """
    try:
        path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        with _locked(path.parent):
            _clear(path)
            listener = _bound(path)
            own = path.lstat()
    except OSError as error:
        msg = f"the control socket {path} cannot be made: {reason_of(error)}"
        raise OutputError(msg, hint="name another place: control.path") from None
    try:
        with listener:
            yield listener
    finally:
        with suppress(OSError):
            now = path.lstat()
            if (now.st_dev, now.st_ino) == (own.st_dev, own.st_ino):
                path.unlink()


def _bound(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        # Before it has a name, so that nobody else can open it in between; elsewhere than on Linux, after that.
        os.fchmod(listener.fileno(), _MODE)
        listener.bind(os.fspath(path))
        path.chmod(_MODE)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _clear(path: Path) -> None:
    """Remove the socket at this path if nobody serves it, and those in rt-run's own folder that nobody serves.

    Raises:
        OutputError: The one at this path is served, or is no socket.
    """
    if path.parent == runtime_folder(os.environ):
        for each in path.parent.glob("*.sock"):
            if is_stale(each):
                each.unlink(missing_ok=True)
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(path.lstat().st_mode):
        msg = f"the control socket {path} cannot be made: there is another file of this name"
        raise OutputError(msg, hint="remove it, or name another place: control.path")
    if not is_stale(path):
        msg = f"another process serves the control socket {path}"
        raise OutputError(msg, hint="put {run_id} into control.path")
    path.unlink()


def is_stale(path: Path) -> bool:
    """Whether this is a socket that no process listens on."""
    with suppress(OSError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            try:
                connection.connect(os.fspath(path))
            except OSError as error:
                return error.errno == errno.ECONNREFUSED
    return False


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let no other process look for stale sockets there, in bounds; two would remove each other's new ones."""
    from time import monotonic, sleep

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until_s = monotonic() + _LOCK_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if monotonic() > until_s:
                    raise
                sleep(0.01)
            else:
                break
        yield
    finally:
        os.close(descriptor)
