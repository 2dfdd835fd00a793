"""What a session's log says about its events: constants in the past tense, with the data in keys."""

from collections.abc import Sequence

from runner import logs
from runner.errors import RunnerError
from runner.protocol.delegations import TaskDelegated
from runner.protocol.effects import (
    Configured,
    Effect,
    ErrorReported,
    FunctionCalled,
    Opened,
    ResponseEnded,
    ResponseRetried,
    ResponseStarted,
    TextCorrected,
    TranscriptionEnded,
)
from runner.protocol.rate_limits import RateLimitCrossed
from runner.protocol.server_effects import ServerCalled, ServerListed
from runner.protocol.severity import OVERTAKEN
from runner.protocol.side_fields import FieldUnreadable
from runner.protocol.unread_events import EventMalformed, EventUnknown


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
        case ErrorReported(severity=severity, error=error, client_event_type=cause, client_event_id=event_id):
            write = log.warning if severity != "harmless" else log.info if effect.is_new else log.debug
            write("error_reported", error=error.message, code=error.code, client_event=cause, client_event_id=event_id)
        case EventUnknown(type=kind):
            log.info("event_unknown", type=kind)
        case EventMalformed(type=kind, problem=problem):
            log.warning("event_malformed", type=kind, problem=problem)
        case FieldUnreadable(type=kind, problem=problem):
            log.warning("field_unreadable", type=kind, problem=problem)
        case TextCorrected(item_id=item_id, reason=reason):
            log.warning("text_corrected", item_id=item_id, reason=reason)
        case TranscriptionEnded(item_id=item_id, error=error) if error:
            log.warning("transcription_failed", item_id=item_id, error=error.message, code=error.code)
        case RateLimitCrossed(name=name, limit=limit, remaining=remaining, reset_s=reset_s):
            write = log.warning if effect.is_low else log.info
            write("rate_limit_crossed", name=name, limit=limit, remaining=remaining, reset_s=reset_s)
        case _:
            _record_response(effect)


def _record_server(effect: Effect) -> None:
    log = logs.logger()
    match effect:
        case ServerListed(server=server, error=error) if error:
            log.warning("mcp_server_unlisted", server=server, error=error)
        case ServerListed(server=server, tools=tools):
            log.info("mcp_server_listed", server=server, tools=tools)
        case ServerCalled(server=server, name=name, error=error) if error:
            log.warning("mcp_call_failed", server=server, tool=name, error=error)
        case ServerCalled(server=server, name=name, output=output):
            log.info("mcp_called", server=server, tool=name, output_characters=len(output))
        case _:
            pass


def _record_response(effect: Effect) -> None:
    log = logs.logger()
    match effect:
        case ResponseStarted(response_id=response_id):
            log.debug("response_started", response_id=response_id)
        case TaskDelegated(delegation_id=delegation_id, target=target):
            log.info("task_delegated", delegation_id=delegation_id, target=target)
        case FunctionCalled(response_id=response_id, call_id=call_id, name=name):
            log.debug("function_called", response_id=response_id, call_id=call_id, name=name)
        case ResponseRetried(error=error) if error.code == OVERTAKEN:
            log.info("response_overtaken", error=error.message)
        case ResponseRetried(response_id=response_id, error=error):
            log.warning("response_failed", response_id=response_id, error=error.message, code=error.code, retried=True)
        case ResponseEnded(status="failed", response_id=response_id, error=error) if error:
            log.error("response_failed", response_id=response_id, error=error.message, code=error.code)
        case ResponseEnded(response_id=response_id, loss=RunnerError() as error):
            log.error("response_lost", response_id=response_id, error=error.message)
        case ResponseEnded(status="incomplete", response_id=response_id, reason=reason):
            log.warning("response_incomplete", response_id=response_id, reason=reason)
        case ResponseEnded(response_id=response_id, status=status):
            log.debug("response_ended", response_id=response_id, status=status)
        case _:
            _record_server(effect)
