"""Where results go: each output writes in a thread of its own turn, behind a queue bounded in bytes."""

import os
import select
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread

from runner.errors import OutputError, RunnerError
from runner.session.lines import EventLines, TextLines, TranscriptLines
from runner.session.queue import ByteQueue
from runner.session.update import Update
from runner.settings.run import EventsOutput, Output, StdoutOutput


class OutputClosed(OutputError):
    """The reader of our standard output has gone; nobody is left to write for."""


class Lines(Protocol):
    """Turns updates into what an output shows of them."""

    def render(self, updates: Sequence[Update]) -> str:
        """The text to write for these updates, in order."""


class Sink:
    """One output: a queue that the pump fills and a task that empties it into a file.

    Args:
        name: What messages call it.
        file: The open file, unbuffered; closed by `run`.
        lines: What to show.
        max_queue_bytes: How far the file may fall behind.
        fail: Called once with what went wrong; it must not wait.
    """

    def __init__(
        self, name: str, file: FileIO, lines: Lines, *, max_queue_bytes: int, fail: Callable[[RunnerError], None]
    ) -> None:
        self.name = name
        self._file = file
        self._lines = lines
        self._queue: ByteQueue[Update] = ByteQueue(max_queue_bytes)
        self._max_queue_bytes = max_queue_bytes
        self._fail = fail
        self._behind = False
        self._failed = False
        self._in_thread = False
        self._finished = anyio.Event()

    def take(self, update: Update) -> None:
        """Queue an update; a queue that is full ends the session, because dropping would be silent."""
        if not self._queue.put(update, update.size_bytes) and not self._behind:
            # What was taken is still written, and nothing after the gap, which would hide it.
            self._behind = True
            self._queue.close()
            msg = f"{self.name} fell more than {self._max_queue_bytes} bytes behind the session"
            self._fail(OutputError(msg, hint="raise `max_queue_bytes`, or write to something faster"))

    def close(self) -> None:
        """Let `run` end once everything taken is written."""
        self._queue.close()

    @property
    def is_finished(self) -> bool:
        """Whether `run` has ended."""
        return self._finished.is_set()

    async def finished(self) -> None:
        """Wait for the end of `run`: everything is written and on the disk."""
        await self._finished.wait()

    async def flushed(self) -> None:
        """Wait until everything taken is written."""
        await self._queue.drained()

    async def run(self) -> None:
        """Write until closed; an error is reported through `fail`, and what comes after it is discarded."""
        try:
            while updates := await self._queue.get_all():
                if not self._failed:
                    await anyio.to_thread.run_sync(self._write, updates, abandon_on_cancel=True)
                self._queue.done()
            await anyio.to_thread.run_sync(self._finish, abandon_on_cancel=True)
        finally:
            self._queue.done()
            self._finished.set()
            if not self._in_thread:
                self._file.close()

    def _write(self, updates: Sequence[Update]) -> None:
        self._in_thread = True
        data = memoryview(self._lines.render(updates).encode(errors="backslashreplace"))
        try:
            while data:
                written = self._file.write(data)
                if written is None:
                    # Somebody who shares the descriptor made it non-blocking.
                    select.select([], [self._file], [])
                data = data[written or 0 :]
        except OSError as error:
            self._report(error)
        self._in_thread = False

    def _finish(self) -> None:
        try:
            with self._file:
                if not self._failed and stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                    os.fsync(self._file.fileno())
        except OSError as error:
            self._report(error)

    def _report(self, error: OSError) -> None:
        if self._failed:
            return
        self._failed = True
        kind = OutputClosed if isinstance(error, BrokenPipeError) else OutputError
        anyio.from_thread.run_sync(self._fail, kind(f"{self.name} cannot be written: {error.strerror or error}"))


def open_outputs(
    outputs: Sequence[Output], names: Mapping[str, str], fail: Callable[[RunnerError], None]
) -> list[Sink]:
    """Open every output of a profile before anything connects.

    Args:
        outputs: The profile's outputs.
        names: The values of the placeholders in paths.
        fail: Called with what goes wrong later.

    Raises:
        OutputError: a file cannot be opened.
    """
    return [_open(output, names, fail) for output in outputs]


def _open(output: Output, names: Mapping[str, str], fail: Callable[[RunnerError], None]) -> Sink:
    lines: Lines
    if isinstance(output, StdoutOutput):
        lines = EventLines() if output.format == "events" else TextLines(terminal=sys.stdout.isatty())
        file, name = FileIO(os.dup(1), "wb"), "standard output"
    else:
        lines = EventLines() if isinstance(output, EventsOutput) else TranscriptLines()
        file = _appended(output.path, names)
        name = f"the file {file.name}"
    return Sink(name, file, lines, max_queue_bytes=output.max_queue_bytes, fail=fail)


def _appended(template: str, names: Mapping[str, str]) -> FileIO:
    path = Path(template.format_map(names))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What is said in a session is nobody else's business.
        return FileIO(path, "ab", opener=partial(os.open, mode=0o600))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"the output file {path} cannot be opened: {reason}"
        raise OutputError(msg) from None


def placeholders(profile: str, run_id: str) -> dict[str, str]:
    """The values that paths of outputs may contain, for a run that starts now."""
    started = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return {"profile": profile, "run_id": run_id, "started": started}
