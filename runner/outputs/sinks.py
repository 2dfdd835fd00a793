"""Where results go: each output writes in a thread of its own turn, behind a queue bounded in bytes."""

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Protocol

import anyio

from runner.errors import OutputError, RunnerError
from runner.outputs.append_file import appended, finish, is_regular, put_all
from runner.outputs.text import AnswerLines, EventLines, TextLines
from runner.outputs.transcript import Transcript
from runner.outputs.writer import Writer
from runner.session.update import Update
from runner.settings.output import AudioOutput, EventsOutput, Output, SpeakerOutput, StdoutOutput, TranscriptOutput

Fail = Callable[[RunnerError], None]
"""Told what went wrong with an output; it must not wait."""


class Lines(Protocol):
    """Turns updates into what an output shows of them."""

    def render(self, updates: Sequence[Update]) -> str:
        """The text to write for these updates, in order."""


class StandardOutput:
    """Standard output, on which all sessions of a process take turns: nobody's lines are torn by another's.

    Args:
        is_shared: Whether there are several; answers are then shown when they are whole.

    Attributes:
        threads: Lets one thread of theirs write, so that a slow reader of ours keeps no others waiting in theirs.
        lock: Held while a session writes; an abandoned thread may still do so.
    """

    def __init__(self, *, is_shared: bool) -> None:
        self.threads = anyio.CapacityLimiter(1)
        self.lock = threading.Lock()
        self._is_shared = is_shared
        self._fails: list[Fail] = []

    def sink(self, output: StdoutOutput, fail: Fail) -> "Sink":
        """A session's output; when one of them cannot be written, all are told so."""
        terminal = sys.stdout.isatty()
        lines: Lines = AnswerLines(terminal=terminal) if self._is_shared else TextLines(terminal=terminal)
        if output.format == "events":
            lines = EventLines()
        file = FileIO(1, "wb", closefd=False)
        self.on_failure(fail)
        return Sink("standard output", file, lines, max_queue_bytes=output.max_queue_bytes, fail=fail, shared=self)

    def on_failure(self, fail: Fail) -> None:
        """Have this session told when nothing can be written any more."""
        self._fails.append(fail)

    def fail(self, error: RunnerError) -> None:
        """Tell every session, once, that nothing can be written any more."""
        fails, self._fails = self._fails, []
        for fail in fails:
            fail(error)


class Sink(Writer[Update]):
    """One output: what the pump tells it is written beside the session.

    Args:
        name: What messages call it.
        file: The open file, unbuffered; closed by `run`.
        lines: What to show.
        max_queue_bytes: How far the file may fall behind.
        fail: Called once with what went wrong.
        shared: What the file is shared through, None where it is this output's own.
    """

    def __init__(
        self,
        name: str,
        file: FileIO,
        lines: Lines,
        *,
        max_queue_bytes: int,
        fail: Fail,
        shared: StandardOutput | None = None,
    ) -> None:
        self.is_transcript = False
        """Whether it wants to know what was heard."""
        # Regular files are soon written; anything else may wait for its reader, and only its own session shall.
        own = None if is_regular(file) else anyio.CapacityLimiter(1)
        super().__init__(
            name,
            _Rendered(file, lines, shared.lock if shared else nullcontext()),
            max_queue_bytes=max_queue_bytes,
            fail=fail,
            broken=shared.fail if shared else fail,
            threads=shared.threads if shared else own,
        )

    def take(self, update: Update) -> None:
        """Queue an update; a queue that is full ends the session, because dropping would be silent."""
        self.put(update, update.size_bytes)


class _Rendered:
    """Puts updates into a file as an output shows them."""

    def __init__(self, file: FileIO, lines: Lines, lock: AbstractContextManager[object]) -> None:
        self._file = file
        self._lines = lines
        self._lock = lock

    def write(self, items: Sequence[Update]) -> None:
        data = self._lines.render(items).encode(errors="backslashreplace")
        with self._lock:
            put_all(self._file, data)

    def finish(self) -> None:
        finish(self._file)

    def close(self) -> None:
        self._file.close()


def is_audio(output: Output) -> bool:
    """Whether what comes out is sound; `runner.outputs.audio_outputs` opens that."""
    return isinstance(output, AudioOutput | SpeakerOutput) or (
        isinstance(output, StdoutOutput) and output.format == "audio"
    )


def open_sinks(
    outputs: Sequence[Output],
    names: Mapping[str, str],
    fail: Fail,
    stdout: StandardOutput,
    *,
    is_played: bool = False,
) -> list[Sink]:
    """Open every output of a session that is text, before anything connects.

    Args:
        outputs: The profile's outputs.
        names: The values of the placeholders in paths.
        fail: Called with what goes wrong later.
        stdout: What the sessions of the process share.
        is_played: Whether answers are played too, so that a transcript says what was heard of them.

    Raises:
        OutputError: a file cannot be opened.
    """
    sinks = []
    for output in outputs:
        match output:
            case EventsOutput():
                sinks.append(_file_sink(output, EventLines(), names, fail))
            case TranscriptOutput(format=form):
                lines = Transcript(markdown=form == "markdown", is_played=is_played)
                sinks.append(_file_sink(output, lines, names, fail))
            case StdoutOutput() if not is_audio(output):
                sinks.append(stdout.sink(output, fail))
            case _:
                pass
    return sinks


def _file_sink(output: EventsOutput | TranscriptOutput, lines: Lines, names: Mapping[str, str], fail: Fail) -> Sink:
    path = Path(output.path.format_map(names))
    try:
        file = appended(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"the output file {path} cannot be opened: {reason}"
        raise OutputError(msg) from None
    sink = Sink(f"the file {path}", file, lines, max_queue_bytes=output.max_queue_bytes, fail=fail)
    sink.is_transcript = isinstance(output, TranscriptOutput)
    return sink


def placeholders(profile: str, run_id: str, session: int = 1) -> dict[str, str]:
    """The values that paths of outputs may contain, for a session that starts now."""
    started = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return {"profile": profile, "run_id": run_id, "session": str(session), "started": started}
