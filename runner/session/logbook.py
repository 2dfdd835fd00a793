"""What a session's log says about its events: constants in the past tense, with the data in keys."""

from collections.abc import Sequence

import structlog

from runner import logs
from runner.protocol.effects import (
    Configured,
    Effect,
    ErrorReported,
    EventMalformed,
    EventUnknown,
    Opened,
    ResponseEnded,
    ResponseStarted,
)


def bind(**context: str) -> None:
    """Add keys to every later log line of this session."""
    structlog.contextvars.bind_contextvars(**context)


def unbind(*keys: str) -> None:
    """Take keys out of the later log lines again."""
    structlog.contextvars.unbind_contextvars(*keys)


def record(effects: Sequence[Effect]) -> None:
    """Log what deserves it; a streamed piece of text does not."""
    for effect in effects:
        _record(effect)


def _record(effect: Effect) -> None:
    log = logs.logger()
    match effect:
        case Opened(session_id=session_id, expires_at=expires_at):
            log.debug("session_created", id=session_id, expires_at=expires_at)
        case Configured():
            log.debug("session_updated")
        case ResponseStarted(response_id=response_id):
            log.debug("response_started", response_id=response_id)
        case ResponseEnded(status="failed", response_id=response_id, error=error) if error:
            log.error("response_failed", response_id=response_id, error=error.message, code=error.code)
        case ResponseEnded(status="incomplete", response_id=response_id, reason=reason):
            log.warning("response_incomplete", response_id=response_id, reason=reason)
        case ResponseEnded(response_id=response_id, status=status):
            log.debug("response_ended", response_id=response_id, status=status)
        case ErrorReported(severity=severity, error=error, client_event_type=cause):
            write = log.debug if severity == "harmless" else log.warning
            write("error_reported", error=error.message, code=error.code, client_event=cause)
        case EventUnknown(type=kind):
            log.info("event_unknown", type=kind)
        case EventMalformed(type=kind, problem=problem):
            log.warning("event_malformed", type=kind, problem=problem)
        case _:
            pass
