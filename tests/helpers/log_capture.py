"""Log lines as a test sees them, and the log as it was before."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.testing import LogCapture

from runner import logs, redaction
from runner.log_repeats import LineRepeats


@contextmanager
def log_restored() -> Iterator[None]:
    """Begin without secrets or counts, and put back, after the block, the known secrets and where the log goes."""
    before = logs._logger, logs._writer, redaction._secrets
    logs._repeats = LineRepeats()
    redaction._secrets = redaction.Secrets()
    try:
        yield
    finally:
        logs._logger, logs._writer, redaction._secrets = before


@contextmanager
def captured_log() -> Iterator[list[Any]]:
    """All log lines of the block, whatever their level, as they were written and without the keys of their context."""
    capture = LogCapture()
    before = logs._logger
    try:
        logs._logger = structlog.wrap_logger(None, processors=[capture])
        yield capture.entries
    finally:
        logs._logger = before
