"""Structured logs from which secrets are missing by construction.

Every value of every log line, tracebacks included, passes `redact` on its way out, and is cut only then: a line is
bounded whatever an endpoint sends. Lines that say the same again and again are counted (`log_repeats`). The command's
lines are written by a thread (`log_writer`), so that nobody waits for who reads them.

The command calls `configure` and gets lines on standard error. A program that uses the Python API finds the same lines
under the name `rt_run` in its standard `logging`, each as one text: it sets level, handlers and format there, and
without any setting of its own Python prints warnings and errors on standard error. Neither way touches the program's
own configuration of structlog, nor its context variables.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType, ModuleType
from typing import Any, Final, Literal, TextIO

import structlog

from runner.log_lines import bound_line, calm_line, in_order, one_text
from runner.log_repeats import LineRepeats
from runner.log_writer import LenientStream, LogWriter, QueuedStream, StreamTarget
from runner.standard_streams import STDERR, STDOUT, are_one_place, kept, turns

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]
Identify = Callable[[Mapping[str, Any]], Mapping[str, str]]
"""More keys of a line, given those that it has."""

_NAME: Final = "rt_run"
_FLUSH_S = 1.0
"""How long the end of the process waits for who reads the log, in seconds."""


_context: ContextVar[Mapping[str, Any]] = ContextVar("rt_run_log_context", default=MappingProxyType({}))


def context() -> Mapping[str, Any]:
    """The keys that every log line of this task has."""
    return _context.get()


def bind(**keys: Any) -> None:
    """Add keys to every later log line of this task and of the tasks that it starts."""
    _context.set({**_context.get(), **keys})


def introduce(session_id: str) -> None:
    """Add the id of the session to every later log line, unless they have that of its first connection already."""
    if "session_id" not in context():
        bind(session_id=session_id)


@contextmanager
def bound(**keys: Any) -> Iterator[None]:
    """Add keys to the log lines of the block, and of the tasks that are started in it."""
    before = _context.set({**_context.get(), **keys})
    try:
        yield
    finally:
        _context.reset(before)


_identify: Identify | None = None


@contextmanager
def identified(by: Identify) -> Iterator[None]:
    """Add what this function says of a line to the lines of the block, whatever task writes them."""
    global _identify  # one process has one log
    before, _identify = _identify, by
    try:
        yield
    finally:
        _identify = before


def _add_context(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line = {**_context.get(), **line}
    return {**line, **_identify(line)} if _identify else line


_repeats = LineRepeats()


def _count_repeats(_logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if method == "debug" or "repeats" in line:
        return line
    left_out = _repeats.take(line)
    if left_out is None:
        raise structlog.DropEvent
    return {**line, "repeats": left_out} if left_out else line


def _handed_on() -> Any:
    """The logger of a program that has not called `configure`: it hands texts to the program's `logging`."""
    return structlog.wrap_logger(
        logging.getLogger(_NAME),
        processors=[
            structlog.stdlib.filter_by_level,
            _add_context,
            _count_repeats,
            structlog.processors.format_exc_info,
            bound_line,
            in_order,
            one_text,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        context_class=dict,
    ).bind()


_logger = _handed_on()


_writer: LogWriter | None = None
_rendering: list[Any] = []
"""What makes a text of a line, last of all."""


def _line_of_dropped(count: int) -> bytes:
    line: Any = {"event": "log_lines_dropped", "count": count}
    for step in _rendering:
        line = step(None, "warning", line)
    return line if isinstance(line, bytes) else f"{line}\n".encode()


def configure(
    *,
    level: Level = "info",
    format: Format = "auto",  # noqa: A002  # the setting's name
    stream: TextIO | None = None,
    narrator: structlog.types.Processor | None = None,
) -> None:
    """Send all logs of at least `level` to standard error, without waiting for its reader; this is for the command.

    Where standard error is the journal of systemd, each line is an entry there, with its priority and keys.

    Args:
        level: The least level that is written.
        format: `console` for people, `json` for machines, `auto` for the first on a terminal and the second elsewhere.
        stream: Where to write instead, at once.
        narrator: Tells somebody at a terminal of lines in words; those that it drops are not written.
    """
    global _logger, _writer, _rendering  # one process has one log
    people = for_people(format, stream)
    shown = stream or sys.stderr
    is_queued = stream is None and _is_descriptor(sys.stderr)
    journald = _journald() if is_queued else None
    stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S" if people else "iso", utc=not people)
    renderer: Any
    if journald:
        renderer = journald.rendered_json if format == "json" else journald.rendered
    elif people:
        renderer = structlog.dev.ConsoleRenderer(colors=_colors(shown), sort_keys=False, pad_event_to=0)
    else:
        renderer = structlog.processors.JSONRenderer()
    calm = [calm_line] if people or journald else []
    last = [structlog.processors.add_log_level, stamp, in_order, *calm, renderer]
    _rendering = last
    if not is_queued:
        _writer = None
    elif _writer is None:
        target = journald.JournaldTarget(journald.ADDRESS) if journald else _stream_target()
        _writer = LogWriter(target, dropped=_line_of_dropped)
    lines: Any
    if _writer is None:
        lines = structlog.WriteLogger(LenientStream(shown))  # type: ignore[arg-type]  # it writes and flushes
    elif journald:
        lines = journald.EntryLogger(_writer.put)
    else:
        lines = structlog.WriteLogger(QueuedStream(_writer, sys.stderr.encoding))  # type: ignore[arg-type]  # likewise
    _logger = structlog.wrap_logger(
        lines,
        processors=[
            _add_context,
            _count_repeats,
            structlog.processors.format_exc_info,
            bound_line,
            *([narrator] if narrator else []),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        context_class=dict,
    ).bind()


def _journald() -> ModuleType | None:
    """What writes to the journal of systemd, where standard error is that; few processes need it."""
    if "JOURNAL_STREAM" not in os.environ:
        return None
    from runner import journald

    return journald if journald.is_journal(STDERR) else None


def _stream_target() -> StreamTarget:
    # Where both are one file without `O_APPEND`, each descriptor would write over what the other has written.
    if are_one_place(STDOUT, STDERR):
        # One of its own, since that number may get another meaning.
        return StreamTarget(os.dup(kept(STDOUT)), turns(STDOUT))
    return StreamTarget(STDERR, turns(STDERR))


def tell(text: str) -> None:
    """Write a text for people to standard error, after the lines of the log that came before it."""
    if _writer is None:
        sys.stderr.write(text)
    elif journald := _journald():
        _writer.put(journald.message_entry(text))
    else:
        _writer.put(text.encode(sys.stderr.encoding, "backslashreplace"))


def finish() -> None:
    """Log what was counted instead of written, and wait for the reader of the log, in bounds."""
    for line in _repeats.left_out():
        _logger.warning(line.pop("event"), **line)
    if _writer is not None:
        _writer.flush(within_s=_FLUSH_S)


def _is_descriptor(stream: TextIO) -> bool:
    """Whether a stream is what the process has as standard error; a program may have put another in its place."""
    try:
        return stream.fileno() == STDERR
    except (OSError, ValueError):
        return False


def for_people(format: Format, stream: TextIO | None = None) -> bool:  # noqa: A002  # the setting's name
    """Whether this format means lines for people on this stream."""
    return format == "console" or (format == "auto" and (stream or sys.stderr).isatty())


def _colors(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


def note(event: str, **facts: Any) -> None:
    """Write a line at level info, whatever the least level is that is written."""
    _logger._proxy_to_logger("info", event, **facts)  # noqa: SLF001  # structlog has no other way past its own filter


def logger() -> Any:
    """The logger that everything in rt-run uses; `bind` and `bound` add keys such as `session_id` to its lines."""
    return _logger
