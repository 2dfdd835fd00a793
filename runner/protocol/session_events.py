"""Server events of the session itself: its opening, its configuration, and errors."""

from runner.errors import EndpointBusy
from runner.protocol import severity
from runner.protocol.effects import Configured, Effect, ErrorReported, Opened, ResponseEnded, ResponseRetried
from runner.protocol.json_fields import JsonObject
from runner.protocol.preview import current_session
from runner.protocol.refusals import cause_of, refuse
from runner.protocol.session_format import DIRECTIONS, format_problem
from runner.protocol.side_fields import SideFields
from runner.protocol.state import SessionState

MAX_OVERTAKEN = 10
"""After so many responses that were in flight before it in a row, a request is given up."""


def read_session(state: SessionState, event: JsonObject) -> JsonObject:
    """The session object of an event; some servers have the preview protocol's, whatever they are asked in."""
    session = current_session(state.side.table(event, "session"))
    for direction in DIRECTIONS:
        if problem := format_problem(session, direction):
            state.side.note(problem)
    return session


def _opened(state: SessionState, event: JsonObject) -> list[Effect]:
    session = read_session(state, event)
    state.session_id = state.side.identifier(session or event, "id")
    state.expires_at = state.side.whole(session, "expires_at") or 0
    state.configuration.report(session)
    state.greeted = True
    return [Opened(state.session_id, state.expires_at, state.kind)]


def _configured(state: SessionState, event: JsonObject) -> list[Effect]:
    session = read_session(state, event) or state.configuration.reported
    state.configuration.confirm(session)
    state.expires_at = state.side.whole(session, "expires_at") or state.expires_at
    if not state.configuration.detects_turns:
        state.pending.drop_turn()
    if state.phase != "closed":
        state.phase = "ready"
    return [Configured(session)]


def error_details(event: JsonObject, side: SideFields) -> JsonObject:
    """What an error event says; some servers write it as plain text, or beside the event's type."""
    error = event.get("error")
    if isinstance(error, dict):
        return dict(error)
    if error is not None and not isinstance(error, str):
        side.note("`error` is not an object")
    beside: JsonObject = {key: event[key] for key in ("message", "code", "param") if key in event}
    return {**beside, "message": error} if isinstance(error, str) else beside


def _reported(state: SessionState, event: JsonObject) -> list[Effect]:
    details = error_details(event, state.side)
    code, kind = state.side.identifier(details, "code"), state.side.text(details, "type")
    message = state.side.text(details, "message") or code or kind or "the endpoint gives no reason"
    cause, cause_type = cause_of(state, details)
    if param := state.side.identifier(details, "param"):
        message = f"{message} (at `{param}`)"
    error = severity.error_for_code(code, message, kind=kind)
    weight = severity.severity(code, kind=kind)
    is_new = weight != "harmless" or state.reported_once.harmless(code)
    effects: list[Effect] = [ErrorReported(weight, error, cause_type, cause, is_new)]
    if code == severity.OVERTAKEN and (overtaken := state.pending.overtaken(cause, state.conversation.is_silent)):
        if overtaken.overtaken < MAX_OVERTAKEN:
            state.pending.wait_for_other(overtaken)
            return [*effects, ResponseRetried("", error, overtaken.first_id)]
        return [*effects, ResponseEnded("", "refused", code, error, overtaken.first_id)]
    if cause and details.get("event_id") != cause and not param and state.conversation.confirms is None:
        state.pending.doubt(error)
    if asked := refuse(state, cause, cause_type):
        if asked.is_filler:
            return [*effects, ResponseEnded("", "refused", code, error, asked.first_id, is_step=True)]
        if isinstance(error, EndpointBusy) and asked.failures < state.max_response_retries:
            state.pending.repeat(asked)
            return [*effects, ResponseRetried("", error, asked.first_id)]
        effects.append(ResponseEnded("", "refused", code, error, asked.first_id))
    return effects


SESSION_ROUTES = {"error": _reported, "session.created": _opened, "session.updated": _configured}
"""The events that every kind of session has."""
