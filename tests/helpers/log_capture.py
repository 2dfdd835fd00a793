"""Log lines as a test sees them, and the log as it was before."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.testing import LogCapture

from runner import logs


@contextmanager
def log_restored() -> Iterator[None]:
    """Put back, after the block, where the log goes."""
    logger = logs._logger
    try:
        yield
    finally:
        logs._logger = logger


@contextmanager
def captured_log() -> Iterator[list[Any]]:
    """All log lines of the block, whatever their level, as they were written and without the keys of their context."""
    capture = LogCapture()
    with log_restored():
        logs._logger = structlog.wrap_logger(None, processors=[capture])
        yield capture.entries
