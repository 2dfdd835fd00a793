"""Structured logs on standard error, from which secrets are missing by construction.

Whoever resolves a secret calls `hide` before anyone can use it; every value of every log line, tracebacks included,
passes `redact` on its way out.
"""

import json
import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO
from urllib.parse import quote

import structlog

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]

_MASK = "[hidden]"
_SHORTEST_SECRET = 4
_hidden: set[str] = set()
_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def hide(secret: str) -> None:
    """Keep a secret, as it is or quoted, out of every log line and message from now on; below 4 characters none."""
    if len(secret) >= _SHORTEST_SECRET:
        _hidden.update((secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe="")))


def redact(text: str) -> str:
    """The text with every known secret masked."""
    # The longest first: one secret may be the beginning of another.
    for secret in sorted(_hidden, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, _MASK)
    return text


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


def configure(*, level: Level = "info", format: Format = "auto", stream: TextIO | None = None) -> None:  # noqa: A002  # the setting's name
    """Send all logs of at least `level` to `stream`, by default standard error.

    Args:
        level: The least level that is written.
        format: `console` for people, `json` for machines, `auto` for the first on a terminal and the second elsewhere.
        stream: Where to write.
    """
    stream = stream or sys.stderr
    people = for_people(format, stream)
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=_colors(stream), sort_keys=False, pad_event_to=0)
        if people
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if people else "iso", utc=not people),
            structlog.processors.format_exc_info,
            _redact_line,
            *([_calm_line] if people else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(_Stream(stream)),  # type: ignore[arg-type]  # needs write and flush only
        cache_logger_on_first_use=False,
    )


def for_people(format: Format, stream: TextIO | None = None) -> bool:  # noqa: A002  # the setting's name
    """Whether this format means lines for people on this stream."""
    return format == "console" or (format == "auto" and (stream or sys.stderr).isatty())


def _colors(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def logger() -> Any:
    """The logger that everything in rt-run uses; context such as `session_id` is bound through context variables."""
    if not structlog.is_configured():
        # A program that uses the Python API hears of trouble only, and never on its standard output.
        configure(level="warning")
    return structlog.get_logger()
