"""How a response has ended: as it should, with a failure, or with nothing; and whether it is asked for again."""

from runner.errors import EndpointBusy, ProtocolError, RunnerError
from runner.protocol.effects import ResponseEnded
from runner.protocol.request import Request
from runner.protocol.severity import brief, error_for_failure, plain, severity
from runner.protocol.state import SessionState


def ending_of(response_id: str, status: str, details: object, request_id: str) -> ResponseEnded:
    """The end of a response, by what the endpoint says of it."""
    details = details if isinstance(details, dict) else {}
    reason, failure = details.get("reason"), details.get("error")
    reason = reason if isinstance(reason, str) else ""
    match status:
        case "completed" | "cancelled" | "incomplete":
            return ResponseEnded(response_id, status, reason, request_id=request_id)
        case _:
            error = error_for_failure("the response failed", failure)
            return ResponseEnded(response_id, "failed", reason, error, request_id)


_ASKED_FOR = frozenset({"client_cancelled", "turn_detected"})
"""Why a response is cancelled that somebody wanted to end."""


def loss_of(state: SessionState, ending: ResponseEnded) -> RunnerError | None:
    """Why a response that was asked for and did not fail has brought nothing, or not all."""
    because = f" ({plain(ending.reason)})" if ending.reason else ""
    match ending.status:
        case "completed" | "incomplete" if state.conversation.is_void(ending.response_id):
            return ProtocolError(f"the response is empty{because or _only_of(state, ending)}", code=ending.reason)
        case "cancelled" if ending.reason not in _ASKED_FOR and not state.configuration.detects_turns:
            if not state.sent.has("response.cancel"):
                return ProtocolError(f"the endpoint cancelled the response{because}", code=ending.reason)
    return None


def _only_of(state: SessionState, ending: ResponseEnded) -> str:
    """Of which unknown types the items of a response are that says nothing; nothing where they are not."""
    made = state.conversation.of_responses({ending.response_id})
    types = dict.fromkeys(each.type for each in made if each.type not in {"", "message", "function_call"})
    return f": it has only items of types that rt-run does not know ({brief(', '.join(types))})" if types else ""


def asked_again(state: SessionState, asked: Request, error: RunnerError) -> Request | None:
    """The request of a response that has failed, where it is asked for again: here, or at another endpoint."""
    is_temporary = isinstance(error, EndpointBusy)
    if is_temporary and asked.failures < state.max_response_retries:
        return asked
    if (is_temporary or severity(error.code) == "fatal") and state.moves_on():
        # Here it has failed for good.
        return asked._replace(failures=max(asked.failures, state.max_response_retries))
    return None
