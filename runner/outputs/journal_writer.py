"""The writer of a session's journal: it takes every event both ways without waiting, and writes it in a thread."""

from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import Any, Literal

from runner.journal.record import Record, line
from runner.outputs.journal_file import JournalFile
from runner.outputs.session_output import Fail
from runner.outputs.writer import Writer
from runner.protocol.json_fields import JsonObject
from runner.settings.journal import JournalSettings

_LEAST_BYTES = 64
"""What a number, a name or a brace takes in memory, about."""


class JournalWriter(Writer[Record]):
    """A journal that is open for appending.

    Args:
        settings: What is kept, and when it is written and set aside.
        path: The file.
        fail: Called once with what went wrong.

    Raises:
        OutputError: the file cannot be opened.
    """

    def __init__(self, settings: JournalSettings, path: Path, *, fail: Fail) -> None:
        file = JournalFile(path, max_bytes=settings.max_bytes, keep=settings.keep)
        super().__init__(
            f"the journal {path}",
            _Lines(file, settings.audio),
            max_queue_bytes=settings.max_queue_bytes,
            interval_s=settings.flush_interval_s,
            fail=fail,
        )

    def received(self, event: JsonObject, *, epoch: int, at_s: float, size_bytes: int) -> None:
        """Record a server event.

        Args:
            event: The event, which must not change afterwards.
            epoch: The number of the connection.
            at_s: When it came, in Unix seconds.
            size_bytes: Its size on the wire, in bytes.
        """
        self.put(Record(at_s, "in", epoch, event), size_bytes)

    def sent(self, event: JsonObject, *, epoch: int, at_s: float | None = None) -> None:
        """Record a client event that goes out, now unless `at_s` says when, and must not change afterwards."""
        self.put(Record(time() if at_s is None else at_s, "out", epoch, event), _size_bytes(event))

    def note(self, event: JsonObject, *, epoch: int, at_s: float | None = None) -> None:
        """Record what happens to the connection or the session, as an object with a `type`; `at_s` as in `sent`."""
        self.put(Record(time() if at_s is None else at_s, "note", epoch, event), _size_bytes(event))


class _Lines:
    """Renders records in the writer's thread: hashing and masking cost the session nothing."""

    def __init__(self, file: JournalFile, audio: Literal["hash", "keep"]) -> None:
        self._file = file
        self._audio = audio

    def write(self, items: Sequence[Record]) -> None:
        self._file.append(line(each, audio=self._audio) for each in items)

    def finish(self) -> None:
        self._file.finish()

    def close(self) -> None:
        self._file.close()


def _size_bytes(value: Any) -> int:
    """About what an event takes in memory, in bytes, without rendering it."""
    match value:
        case str():
            return _LEAST_BYTES + len(value)
        case dict():
            return _LEAST_BYTES + sum(_size_bytes(key) + _size_bytes(each) for key, each in value.items())
        case list() | tuple():
            return _LEAST_BYTES + sum(map(_size_bytes, value))
    return _LEAST_BYTES
