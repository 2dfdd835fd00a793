"""The file of a batch's results: one line a row, brought to the disk together with others, and mended after a crash."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
from pydantic import ValidationError

from runner.append_file import is_regular, not_opened, open_append
from runner.batches.batch_result import BatchResult
from runner.errors import OutputError, UsageError, reason_of
from runner.standard_streams import put_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO

    from runner.batches.batch_row import RowKey

_BEGINNING: Final = b'{"id": '
"""How every line begins; a last line without its end is only cut off where it begins so."""
_CLOSE_S: Final = 10.0


class ResultsFile:
    """The results of one batch, which one process at a time writes.

    Args:
        path: The file; it is made where there is none.

    Attributes:
        path: As above.
        torn_bytes: How much was cut off that a crash has left unfinished.

    Raises:
        UsageError: It is no regular file.
        OutputError: It cannot be written, or another process writes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn_bytes = 0
        self._file = _opened(path)
        self._size_bytes = 0
        """How much of the file is whole lines."""
        self._waiting: list[tuple[BatchResult, bytes]] = []
        """Results, each with its line."""
        self._written: list[BatchResult] = []
        self._writing = threading.Lock()
        self._counting = threading.Lock()
        """Held while a result moves: the thread that writes looks at them too."""

    def read(self, take: Callable[[BatchResult], None]) -> dict[RowKey, str]:
        """Read what there is, and cut off what a crash has left of a line, or of several where the power has gone.

        Args:
            take: Called with each result, in order.

        Returns:
            The digest of each row that has a result.

        Raises:
            UsageError: The file holds something else than results, or two of one row.
        """
        digests: dict[RowKey, str] = {}
        self._size_bytes = self.torn_bytes = 0
        for number, line in enumerate(self._lines(), 1):
            if (not line.endswith(b"\n") and _is_begun(line)) or (self._size_bytes and b"\0" in line):
                self.torn_bytes = os.fstat(self._file.fileno()).st_size - self._size_bytes
                self._file.truncate(self._size_bytes)
                break
            try:
                result = BatchResult.model_validate_json(line)
            except ValidationError:
                msg = f"{self.path}:{number}: is no result of a batch"
                raise UsageError(msg, hint="--results is a file that rt-run batch has written, or none yet") from None
            if result.key in digests:
                msg = f"{self.path}:{number}: the row {result.id} has a second result"
                raise UsageError(msg, hint="remove one of the two lines")
            digests[result.key] = result.digest
            self._size_bytes += len(line)
            take(result)
        return digests

    def forget_failed(self) -> None:
        """Write the file anew without the rows that have failed, so that they are tried again.

        Raises:
            UsageError: The file holds something else than results.
            OutputError: It cannot be written.
        """
        kept: list[BatchResult] = []
        self.read(lambda result: kept.append(result) if result.status == "succeeded" else None)
        beside = self.path.with_name(f"{self.path.name}.new")
        try:
            with suppress(FileNotFoundError):
                beside.unlink()
            with open_append(beside) as file:
                for result in kept:
                    put_all(file, result.line())
                os.fsync(file.fileno())
            beside.replace(self.path)
        except OSError as error:
            raise _unwritten(beside, error) from None
        before, self._file = self._file, _opened(self.path)
        before.close()

    @property
    def is_empty(self) -> bool:
        """Whether nobody has written anything yet."""
        return not os.fstat(self._file.fileno()).st_size

    @property
    def waiting(self) -> int:
        """How many results are not on the disk yet."""
        return len(self._waiting)

    def put(self, result: BatchResult) -> None:
        """Take a result, which `write` or `aclose` brings to the disk."""
        line = result.line()
        with self._counting:
            self._waiting.append((result, line))

    async def write(self) -> None:
        """Append all that waits, with one fsync.

        Raises:
            OutputError: It cannot be written; what was written of it is cut off, and it waits on.
        """
        await anyio.to_thread.run_sync(self._put_waiting, abandon_on_cancel=True)

    def written(self) -> list[BatchResult]:
        """Those that have come to the disk since this was last asked."""
        with self._counting:
            written, self._written = self._written, []
        return written

    async def aclose(self) -> None:
        """Write what waits, in bounded time, and close the file; raises `OutputError` where not all was written."""
        try:
            with anyio.move_on_after(_CLOSE_S, shield=True):
                await self.write()
            if self._waiting:
                msg = f"{self.waiting} results could not be written to {self.path} in time"
                raise OutputError(msg, hint="their rows run again with the next start")
        finally:
            self._file.close()

    def close(self) -> None:
        """Close the file, to which nothing was written."""
        self._file.close()

    def _put_waiting(self) -> None:
        with self._writing:
            waiting = self._waiting[:]
            if not waiting:
                return
            data = b"".join(line for _, line in waiting)
            try:
                put_all(self._file, data)
                os.fsync(self._file.fileno())
            except OSError as error:
                with suppress(OSError):
                    self._file.truncate(self._size_bytes)
                raise _unwritten(self.path, error) from None
            self._size_bytes += len(data)
            with self._counting:
                self._waiting = self._waiting[len(waiting) :]
                self._written += [result for result, _ in waiting]

    def _lines(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                yield from file
        except OSError as error:
            msg = f"{self.path} cannot be read: {reason_of(error)}"
            raise UsageError(msg) from None


def _opened(path: Path) -> FileIO:
    """The file, open for this process alone."""
    if path.is_fifo():
        # To open it would wait for somebody who reads it.
        raise _irregular(path)
    try:
        file = open_append(path)
    except (OSError, ValueError) as error:
        raise not_opened(f"the file of results {path}", error) from None
    if not is_regular(file):
        file.close()
        raise _irregular(path)
    with suppress(OSError):
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            msg = f"another batch writes {path}"
            raise OutputError(msg, hint="wait for its end, or give each batch a file of its own") from None
    return file


def _irregular(path: Path) -> UsageError:
    return UsageError(f"--results: {path} is not a regular file", hint="results are read again when the batch goes on")


def _unwritten(path: Path, error: OSError) -> OutputError:
    return OutputError(f"the file of results {path} cannot be written: {reason_of(error)}")


def _is_begun(line: bytes) -> bool:
    """Whether this is how a result begins."""
    return line.startswith(_BEGINNING) or _BEGINNING.startswith(line)
