"""Structured logs from which secrets are missing by construction.

Every value of every log line, tracebacks included, passes `redact` on its way out.

The command calls `configure` and gets lines on standard error. A program that uses the Python API finds the same lines
under the name `rt_run` in its standard `logging`, each as one text: it sets level, handlers and format there, and
without any setting of its own Python prints warnings and errors on standard error. Neither way touches the program's
own configuration of structlog, nor its context variables.
"""

import logging
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final, Literal, TextIO

import structlog

from runner.redaction import redact

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]

_NAME: Final = "rt_run"
_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case bool() | int() | float() | None:
            return value
        case dict():
            return {redact(str(key)): _redacted(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redacted(each) for each in value]
        case _:
            return redact(str(value))


_context: ContextVar[Mapping[str, Any]] = ContextVar("rt_run_log_context", default=MappingProxyType({}))


def context() -> Mapping[str, Any]:
    """The keys that every log line of this task has."""
    return _context.get()


def bind(**keys: Any) -> None:
    """Add keys to every later log line of this task and of the tasks that it starts."""
    _context.set({**_context.get(), **keys})


@contextmanager
def bound(**keys: Any) -> Iterator[None]:
    """Add keys to the log lines of the block, and of the tasks that are started in it."""
    before = _context.set({**_context.get(), **keys})
    try:
        yield
    finally:
        _context.reset(before)


def _add_context(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {**_context.get(), **line}


def _calm_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A line for people without the control characters that could rewrite their terminal."""
    return {key: each.translate(_CONTROLS) if isinstance(each, str) else each for key, each in line.items()}


def _redact_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: _redacted(value) for key, value in line.items()}


class _Stream:
    """A text stream whose failure must not end a session: a log line that cannot be written is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            return

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return


def _handed_on() -> Any:
    """The logger of a program that has not called `configure`: it hands texts to the program's `logging`."""
    return structlog.wrap_logger(
        logging.getLogger(_NAME),
        processors=[
            structlog.stdlib.filter_by_level,
            _add_context,
            structlog.processors.format_exc_info,
            _redact_line,
            _one_text,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        context_class=dict,
    ).bind()


def _one_text(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> str:
    event, trace = line.pop("event"), line.pop("exception", "")
    return " ".join([event, *(f"{key}={value!r}" for key, value in line.items())]) + (f"\n{trace}" if trace else "")


_logger = _handed_on()


def configure(*, level: Level = "info", format: Format = "auto", stream: TextIO | None = None) -> None:  # noqa: A002  # the setting's name
    """Send all logs of at least `level` to `stream`, by default standard error; this is for the command.

    Args:
        level: The least level that is written.
        format: `console` for people, `json` for machines, `auto` for the first on a terminal and the second elsewhere.
        stream: Where to write.
    """
    global _logger  # one process has one log
    stream = stream or sys.stderr
    people = for_people(format, stream)
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=_colors(stream), sort_keys=False, pad_event_to=0)
        if people
        else structlog.processors.JSONRenderer()
    )
    _logger = structlog.wrap_logger(
        structlog.WriteLogger(_Stream(stream)),  # type: ignore[arg-type]  # needs write and flush only
        processors=[
            _add_context,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if people else "iso", utc=not people),
            structlog.processors.format_exc_info,
            _redact_line,
            *([_calm_line] if people else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        context_class=dict,
    ).bind()


def for_people(format: Format, stream: TextIO | None = None) -> bool:  # noqa: A002  # the setting's name
    """Whether this format means lines for people on this stream."""
    return format == "console" or (format == "auto" and (stream or sys.stderr).isatty())


def _colors(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def logger() -> Any:
    """The logger that everything in rt-run uses; `bind` and `bound` add keys such as `session_id` to its lines."""
    return _logger
