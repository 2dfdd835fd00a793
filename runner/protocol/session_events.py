"""Server events of the session itself: its opening, its configuration, and errors."""

from runner.errors import EndpointBusy
from runner.protocol import severity
from runner.protocol.effects import Configured, Effect, ErrorReported, Opened, ResponseEnded, ResponseRepeats
from runner.protocol.json_fields import JsonObject, count, optional_text, table, text
from runner.protocol.state import SessionState

MAX_OVERTAKEN = 10
"""After so many responses that were in flight before it in a row, a request is given up."""


def _opened(state: SessionState, event: JsonObject) -> list[Effect]:
    session = table(event, "session")
    state.session_id, state.expires_at = optional_text(session, "id"), count(session, "expires_at")
    state.configuration.report(session)
    state.greeted = True
    return [Opened(state.session_id, state.expires_at, state.kind)]


def _configured(state: SessionState, event: JsonObject) -> list[Effect]:
    session = table(event, "session")
    state.configuration.confirm(session)
    state.expires_at = count(session, "expires_at") or state.expires_at
    if not state.configuration.detects_turns:
        state.pending.drop_turn()
    if state.phase != "closed":
        state.phase = "ready"
    return [Configured(session)]


def _reported(state: SessionState, event: JsonObject) -> list[Effect]:
    details = table(event, "error")
    message, code, kind = text(details, "message"), optional_text(details, "code"), optional_text(details, "type")
    cause, cause_type = state.cause(details)
    if param := optional_text(details, "param"):
        message = f"{message} (at `{param}`)"
    error = severity.error_for_code(code, message, kind=kind)
    weight = severity.severity(code, kind=kind)
    is_new = weight != "harmless" or state.reported_once.harmless(code)
    effects: list[Effect] = [ErrorReported(weight, error, cause_type, cause, is_new)]
    if code == severity.OVERTAKEN and (overtaken := state.pending.overtaken(cause, state.conversation.is_silent)):
        if overtaken.overtaken < MAX_OVERTAKEN:
            state.pending.wait_for_other(overtaken)
            return [*effects, ResponseRepeats("", error, overtaken.first_id)]
        return [*effects, ResponseEnded("", "refused", code, error, overtaken.first_id)]
    if cause and details.get("event_id") != cause and not param and state.conversation.confirms is None:
        state.pending.doubt(error)
    if asked := state.refuse(cause, cause_type):
        if isinstance(error, EndpointBusy) and asked.failures < state.max_response_retries:
            state.pending.repeat(asked)
            return [*effects, ResponseRepeats("", error, asked.first_id)]
        effects.append(ResponseEnded("", "refused", code, error, asked.first_id))
    return effects


SESSION_ROUTES = {"error": _reported, "session.created": _opened, "session.updated": _configured}
"""The events that every kind of session has."""
