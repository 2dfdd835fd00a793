"""Outputs that are text: each shows the updates of a session in its own way, in a file or on standard output."""

import sys
from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Protocol

import anyio

from runner.append_file import is_regular, not_opened, open_append
from runner.outputs.session_output import Fail
from runner.outputs.standard_output import StandardOutput
from runner.outputs.text import AnswerLines, EventLines, TextLines
from runner.outputs.writer import FileTarget, Writer
from runner.session.update import Update
from runner.settings.output import StdoutOutput
from runner.standard_streams import put_all

_WORDS_QUEUE_BYTES = 64 * 1024 * 1024


class Lines(Protocol):
    """Turns updates into what an output shows of them."""

    def render(self, updates: Sequence[Update]) -> str:
        """The text to write for these updates, in order."""


class Sink(Writer[Update]):
    """A reader of a session that writes what it shows of each update.

    Args:
        name: What messages call it.
        file: The open file, unbuffered; closed by `run`.
        lines: What to show.
        max_queue_bytes: How far the file may fall behind.
        fail: Called once with what went wrong.
        shared: What the file is shared through, None where it is this output's own.
        notes_playback: Whether it also takes what was heard of answers (`Played`, `Truncated`).

    Attributes:
        notes_playback: As above.
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
        notes_playback: bool = False,
    ) -> None:
        self.notes_playback = notes_playback
        # A regular file is soon written; a pipe or a device may wait for its reader, and must hold up no other output.
        own = None if is_regular(file) else anyio.CapacityLimiter(1)
        super().__init__(
            name,
            FileTarget(
                file,
                lambda updates: lines.render(updates).encode(errors="backslashreplace"),
                shared.turns.put_text if shared else put_all,
            ),
            max_queue_bytes=max_queue_bytes,
            fail=fail,
            broken=shared.fail if shared else fail,
            threads=shared.threads if shared else own,
        )

    def take(self, update: Update) -> None:
        """Queue an update; a queue that is full ends the session, because dropping would be silent."""
        self.put(update, update.size_bytes)


def file_sink(path: Path, lines: Lines, *, max_queue_bytes: int, fail: Fail, notes_playback: bool = False) -> Sink:
    """Open a file that text is appended to; arguments are those of `Sink`.

    Raises:
        OutputError: the file cannot be opened.
    """
    name = f"the file {path}"
    try:
        file = open_append(path)
    except (OSError, ValueError) as error:
        raise not_opened(f"the output file {path}", error) from None
    return Sink(name, file, lines, max_queue_bytes=max_queue_bytes, fail=fail, notes_playback=notes_playback)


def stdout_sink(
    output: StdoutOutput, stdout: StandardOutput, fail: Fail, names: Mapping[str, str], *, is_played: bool = False
) -> Sink:
    """Show a session on standard output, as its settings say; when that breaks, every session learns of it.

    Args:
        output: The settings.
        stdout: What the sessions of the process share.
        fail: Called once with what went wrong.
        names: The session's `profile`, `run_id` and `session` (its number), which tell it apart where it is not alone.
        is_played: Whether answers are played.
    """
    if stdout.shows_words and output.format == "text":
        return words_sink(stdout, fail, is_played=is_played, max_queue_bytes=output.max_queue_bytes)
    lines: Lines
    whose = {key: names[key] for key in ("profile", "run_id")} if stdout.is_shared else None
    if output.format == "events":
        lines = EventLines(whose)
    elif output.format == "json":
        from runner.outputs.turn_objects import TurnObjects

        lines = TurnObjects(whose)
    elif stdout.is_shared:
        lines = AnswerLines(terminal=sys.stdout.isatty(), title=stdout.title(names["profile"], names["session"]))
    else:
        lines = TextLines(terminal=sys.stdout.isatty())
    stdout.on_failure(fail)
    return Sink(
        "standard output", stdout.open(), lines, max_queue_bytes=output.max_queue_bytes, fail=fail, shared=stdout
    )


def words_sink(
    stdout: StandardOutput, fail: Fail, *, is_played: bool, max_queue_bytes: int = _WORDS_QUEUE_BYTES
) -> Sink:
    """Show the words of both sides of a spoken session on a terminal.

    Args:
        stdout: The terminal.
        fail: Called once with what went wrong.
        is_played: Whether answers are played, so that they end when they were heard.
        max_queue_bytes: How far the terminal may fall behind.
    """
    from runner.outputs.spoken_words import SpokenWords

    stdout.on_failure(fail)
    lines = SpokenWords(is_played=is_played)
    return Sink(
        "the terminal",
        stdout.open(),
        lines,
        max_queue_bytes=max_queue_bytes,
        fail=fail,
        shared=stdout,
        notes_playback=True,
    )
