"""The reports of a profile that wait to be delivered: a file each, which a crash and a restart leave where it is."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runner.append_file import make_folder, sync_folder
from runner.errors import OutputError, reason_of
from runner.profile.filling import file_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.settings.report_settings import ReportSettings

_MOST_FILES = 10_000


class ReportSpool:
    """The spool of one profile.

    Args:
        settings: Where the spools are, and how much of one there may be.
        profile: The profile's name.
        environ: The environment.

    Attributes:
        folder: Where the reports of this profile wait.
    """

    def __init__(self, settings: ReportSettings, profile: str, environ: Mapping[str, str]) -> None:
        self.folder = _spools(settings, environ) / file_name(profile)
        self._max_bytes = settings.max_spool_bytes

    def put(self, report_id: str, body: bytes) -> None:
        """Keep a report until it is delivered; it is on the disk when this returns.

        Raises:
            OutputError: It cannot be kept.
        """
        begun = self.folder / f".{report_id}.{os.getpid()}"
        try:
            make_folder(self.folder)
            sizes = [size for _, size, _ in self._files()]
            if sum(sizes) + len(body) > self._max_bytes or len(sizes) >= _MOST_FILES:
                msg = f"the spool {self.folder} is full: {len(sizes)} reports wait to be delivered"
                raise OutputError(msg, hint="`rt-run report flush` delivers them")
            with open(
                begun, "wb", opener=lambda name, flags: os.open(name, flags, mode=0o600)
            ) as file:  # for its owner only
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            begun.replace(self.folder / f"{report_id}.json")
            sync_folder(self.folder)
        except OSError as error:
            with suppress(OSError):
                begun.unlink(missing_ok=True)
            msg = f"the spool {self.folder} cannot be written: {reason_of(error)}"
            raise OutputError(msg) from None

    def check(self) -> None:
        """Find out whether reports can be kept here; raises `OutputError`."""
        try:
            make_folder(self.folder)
        except OSError as error:
            msg = f"the spool {self.folder} cannot be made: {reason_of(error)}"
            raise OutputError(msg) from None
        if not os.access(self.folder, os.W_OK | os.X_OK):
            msg = f"the spool {self.folder} cannot be written"
            raise OutputError(msg)

    def waiting(self) -> list[Path]:
        """The reports that wait, the oldest first; raises `OutputError` where nobody can tell."""
        try:
            return [path for _, _, path in sorted(self._files())]
        except OSError as error:
            msg = f"the spool {self.folder} cannot be read: {reason_of(error)}"
            raise OutputError(msg) from None

    def read(self, path: Path) -> bytes | None:
        """A report that waits, None of one that somebody else has delivered; raises `OutputError`."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            msg = f"{path} cannot be read: {reason_of(error)}"
            raise OutputError(msg) from None

    def remove(self, path: Path) -> None:
        """Forget a report that is delivered."""
        with suppress(OSError):
            path.unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Keep others from delivering meanwhile; False says that somebody else does."""
        try:
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            yield not self.waiting()
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
        finally:
            os.close(descriptor)

    def _files(self) -> list[tuple[int, int, Path]]:
        """The reports that wait, each with the time of its writing and its size; others may take them meanwhile."""
        found = []
        with suppress(FileNotFoundError):
            for each in os.scandir(self.folder):
                with suppress(FileNotFoundError):
                    if each.name.endswith(".json"):
                        status = each.stat()
                        found.append((status.st_mtime_ns, status.st_size, Path(each.path)))
        return found


def _spools(settings: ReportSettings, environ: Mapping[str, str]) -> Path:
    if settings.spool is not None:
        return Path(settings.spool)
    if given := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(given) / "spool"
    state = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or "/") / ".local" / "state")
    return Path(state) / "rt-run" / "spool"
