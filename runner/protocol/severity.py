"""What a refusal means: one table for handshake status, close code and error code.

The codes come from the Realtime API's documentation and from captures of hosted endpoints. A code that is not
listed is taken for recoverable: the API says that most errors are, and that the session stays open.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

from runner.errors import (
    AccessRefused,
    BrokenWire,
    EndpointBusy,
    EndpointUnreachable,
    ProtocolError,
    RunnerError,
    SessionRefused,
)
from runner.protocol.side_fields import SideFields
from runner.redaction import excerpt

Severity = Literal["harmless", "recoverable", "fatal"]
Recovery = Literal["temporary", "expired", "hopeless"]
"""What the end of a connection means for its session: try again, at once for one that was due, or never."""

OVERTAKEN: Final = "conversation_already_has_active_response"
"""The code of a request for a response that came while another one was in flight."""

HARMLESS_CODES = frozenset({OVERTAKEN, "response_cancel_not_active"})
"""Codes of a race between client and server, which need no attention."""

_CODE_ERRORS: dict[str, type[RunnerError]] = {
    "beta_api_shape_disabled": ProtocolError,
    "account_deactivated": AccessRefused,
    "billing_hard_limit_reached": AccessRefused,
    "credit_balance_exhausted": AccessRefused,
    "forbidden": AccessRefused,
    "insufficient_quota": AccessRefused,
    "invalid_api_key": AccessRefused,
    "invalid_model": SessionRefused,
    "model_not_found": SessionRefused,
    "DeploymentNotFound": SessionRefused,
    "OperationNotSupported": SessionRefused,
    "session_expired": EndpointBusy,
    "rate_limit_exceeded": EndpointBusy,
    "server_error": EndpointBusy,
    "server_overloaded": EndpointBusy,
}
"""The error of each known code; some servers say it in an error's `type` and leave its `code` out."""

_SURVIVED_CODES = frozenset({"rate_limit_exceeded", "server_error", "server_overloaded"})
"""Known codes that fail one request and leave the session open."""

_STATUS_ERRORS: dict[int, type[RunnerError]] = {  # any other 4xx: SessionRefused
    401: AccessRefused,
    403: AccessRefused,
    407: AccessRefused,
    408: EndpointBusy,
    429: EndpointBusy,
}

_CLOSE_ERRORS: dict[int, type[RunnerError]] = {
    1001: EndpointBusy,
    1002: ProtocolError,
    1003: ProtocolError,
    1007: ProtocolError,
    1008: ProtocolError,
    1009: ProtocolError,
    1010: ProtocolError,
    1011: EndpointBusy,
    1012: EndpointBusy,
    1013: EndpointBusy,
    3000: AccessRefused,
    4000: ProtocolError,
    4001: AccessRefused,
    4003: AccessRefused,
}
"""Close codes; from 4400 to 4599 many gateways mean an HTTP status by them, which `_STATUS_ERRORS` knows."""

_INVALID_KEY = re.compile(
    r"unauthori[sz]ed|unauthenticated|authentication|forbidden|access denied"
    r"|(invalid|incorrect|wrong|missing|expired|revoked|bad|no)\b.{0,20}\b(api.?key|key|token|credentials?)\b",
    re.IGNORECASE,
)
"""The words of a close with 1008, a broken policy, that is about the credential."""

_LEADING_STATUS = re.compile(r"(?:(?:HTTP|error|status)(?:[ _]code)?(?:/\d(?:\.\d)?)?:? )?(4\d\d)\b", re.IGNORECASE)
"""A status at the beginning of a text, as `404: no such model` or `HTTP 404`."""

_LONGEST_WORDS = 1000
"""The most letters of the endpoint's own words that a message repeats."""
_MOST_READ = 20_000
"""How much of a text is looked at for those: what is printable is found letter by letter."""

_HINTS: dict[str, str] = {
    "beta_api_shape_disabled": "the endpoint speaks the current protocol only: remove any OpenAI-Beta header",
    "OperationNotSupported": "the deployment's model does not run this kind of session, or not in this region",
    "account_deactivated": "ask the owner of the account that the key belongs to",
    "billing_hard_limit_reached": "raise the limit of the account that the key belongs to",
    "credit_balance_exhausted": "buy credit for the account that the key belongs to",
    "forbidden": "check what the key, or the identity, may do",
    "insufficient_quota": "check the plan and billing of the account that the key belongs to",
    "invalid_api_key": "check the secret that `auth.api_key` refers to",
    "model_not_found": "check `model.name`; on Azure it is the name of the deployment",
    "DeploymentNotFound": "check `model.name`; on Azure it is the name of the deployment",
    "session_expired": "a session lives 60 minutes at OpenAI and 30 at Azure; start a new one",
}


def plain(text: str) -> str:
    """The endpoint's words on one line and without control characters, which could forge a line or rewrite a screen."""
    if not text.isprintable():
        text = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(text.split())


def brief(text: str) -> str:
    """The endpoint's words as `plain` has them, without secrets, and cut where they are long."""
    return excerpt(plain(excerpt(text, _MOST_READ)), _LONGEST_WORDS)


def severity(code: str | None, *, kind: str = "") -> Severity:
    """How much an `error` event with this code, or else this `type`, matters to the session."""
    if code in HARMLESS_CODES:
        return "harmless"
    known = _known(code or "", kind)
    return "fatal" if known and known not in _SURVIVED_CODES else "recoverable"


def error_for_code(code: str, message: str, *, kind: str = "") -> RunnerError:
    """The error that an `error` event or a failed response stands for.

    Args:
        code: The endpoint's error code, or nothing.
        message: The endpoint's own text.
        kind: The error's `type`, which counts where the code says nothing.
    """
    known = _known(code, kind)
    return _CODE_ERRORS.get(known, ProtocolError)(brief(message), code=code or known, hint=_HINTS.get(known, ""))


def error_for_failure(what: str, details: object) -> RunnerError:
    """The error that stands for something that failed, such as a response.

    Args:
        what: What failed, such as `the response failed`.
        details: The endpoint's `error` object, or whatever stood in its place.
    """
    details = details if isinstance(details, dict) else {"message": details}
    side = SideFields()
    code, kind, message = side.identifier(details, "code"), side.text(details, "type"), side.text(details, "message")
    reason = brief(message) or code or kind or "the endpoint gives no reason"
    return error_for_code(code, f"{what}: {reason}", kind=kind)


def _known(code: str, kind: str) -> str:
    return next((each for each in (code, kind) if each in _CODE_ERRORS), "")


def error_for_close(close_code: int, reason: str) -> RunnerError:
    """The error of a connection that the peer closed; never success, since only a close by the client is.

    Args:
        close_code: The code of the WebSocket close frame; 1006 stands for a connection that broke without one.
        reason: The close frame's text, which may end in one of the API's error codes (`type.code`).
    """
    code = _known(reason.rpartition(".")[2], "")
    kind = _CODE_ERRORS.get(code) or _closing_error(close_code, reason)
    text = (
        "the connection was lost without a close"
        if close_code == 1006
        else f"the endpoint closed the session with {close_code}"
    )
    message = f"{text}: {brief(reason)}" if reason else text
    return kind(message, code=code, hint=_HINTS.get(code, ""), status=close_code)


def _closing_error(close_code: int, reason: str) -> type[RunnerError]:
    if close_code == 1008 and _INVALID_KEY.search(reason):
        return AccessRefused
    if 4400 <= close_code < 4600:
        return _error_of_status(close_code - 4000)
    return _CLOSE_ERRORS.get(close_code, EndpointUnreachable)


def error_for_conclusion(reason: str) -> RunnerError:
    """The error of a session that the endpoint has closed by itself with `session.closed`, by the reason that it gives.

    Args:
        reason: `expired`, `content`, `remote_hangup` or `connection_lost`; nothing where it gives none.
    """
    text = f"the endpoint closed the session: {brief(reason)}" if reason else "the endpoint closed the session"
    if reason == "expired":
        return EndpointBusy(text, code="session_expired")
    if reason == "content":
        return SessionRefused(text, hint="what was said is against the endpoint's rules")
    return EndpointUnreachable(text)


def refused_before_greeting(error: RunnerError) -> RunnerError | None:
    """The refusal that an error stands for which came instead of a greeting, where another attempt would be in vain.

    Gateways that refuse a session after the handshake write the status into the error's code or before its words.

    Args:
        error: The error of an `error` event, or of the close, before `session.created`.
    """
    for text in (error.code, error.message, error.message.partition(": ")[2]):
        if found := _LEADING_STATUS.match(text):
            status = int(found[1])
            kind = _error_of_status(status)
            is_vain = kind is not EndpointBusy
            return kind(error.message, hint=error.hint, code=error.code, status=status) if is_vain else None
    return None


def error_for_status(
    status: int, message: str, *, code: str = "", retry_after_s: float | None = None, what: str = "the session"
) -> RunnerError:
    """The error of a handshake that was answered with an HTTP status other than 101, or of another refused request.

    Args:
        status: The HTTP status.
        message: The endpoint's own text, or the status phrase where it sent none.
        code: The endpoint's own error code, where its body had one.
        retry_after_s: The `Retry-After` header in seconds, where it was sent.
        what: What it refuses.
    """
    text = f"the endpoint refused {what} with HTTP {status}: {brief(message)}"
    kind = _CODE_ERRORS.get(code) or _error_of_status(status)
    hint = _HINTS.get(code, "")
    if kind is EndpointBusy:
        return EndpointBusy(text, code=code, hint=hint, status=status, retry_after_s=retry_after_s)
    return kind(text, code=code, hint=hint, status=status)


def _error_of_status(status: int) -> type[RunnerError]:
    if status >= 500:
        return EndpointBusy
    return _STATUS_ERRORS.get(status, SessionRefused if status >= 400 else EndpointUnreachable)


def recovery_of(error: RunnerError, classified: Mapping[str, Literal["temporary", "hopeless"]]) -> Recovery:
    """Whether another connection may fare better than the one that failed like this.

    Args:
        error: Why a connection could not be opened, or why it ended before the client ended it.
        classified: The profile's own opinion, by error code, HTTP status or close code, in this order of precedence.
    """
    for sign in (error.code, str(error.status)):
        if sign in classified:
            return classified[sign]
    if error.code == "session_expired" or (isinstance(error, EndpointBusy) and error.status == 1001):
        return "expired"
    if 300 <= error.status < 500 and not isinstance(error, EndpointBusy):
        return "hopeless"
    return "temporary" if isinstance(error, EndpointBusy | EndpointUnreachable | BrokenWire) else "hopeless"
