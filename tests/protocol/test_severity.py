"""What a refusal means, by status, close code and error code."""

from typing import Literal

import pytest

from runner.errors import (
    AccessRefused,
    BrokenWire,
    EndpointBusy,
    EndpointUnreachable,
    IllegalEvent,
    ProtocolError,
    RunnerError,
    SecretError,
    SessionRefused,
)
from runner.protocol.severity import (
    HARMLESS_CODES,
    error_for_close,
    error_for_code,
    error_for_failure,
    error_for_status,
    recovery_of,
    refused_before_greeting,
    severity,
)
from runner.redaction import hide

FATAL = [
    ("beta_api_shape_disabled", ProtocolError),
    ("account_deactivated", AccessRefused),
    ("billing_hard_limit_reached", AccessRefused),
    ("credit_balance_exhausted", AccessRefused),
    ("forbidden", AccessRefused),
    ("OperationNotSupported", SessionRefused),
    ("insufficient_quota", AccessRefused),
    ("invalid_api_key", AccessRefused),
    ("invalid_model", SessionRefused),
    ("model_not_found", SessionRefused),
    ("DeploymentNotFound", SessionRefused),
    ("session_expired", EndpointBusy),
]


@pytest.mark.parametrize("code", sorted(HARMLESS_CODES))
def test_races_are_harmless(code: str) -> None:
    """A cancel that came too late and a question that came too early need no attention."""
    assert severity(code) == "harmless"


@pytest.mark.parametrize("code", [None, "", "invalid_value", "server_error", "rate_limit_exceeded", "novelty"])
def test_most_errors_leave_the_session_open(code: str | None) -> None:
    """The API says so, and what is not known is taken for one of them."""
    assert severity(code) == "recoverable"


@pytest.mark.parametrize(("code", "kind"), FATAL)
def test_hopeless_codes_end_the_session_wherever_they_come(code: str, kind: type[RunnerError]) -> None:
    """As an error event, in the reason of a close frame, or in the body of a refused handshake: one meaning."""
    assert severity(code) == "fatal"
    for error in (
        error_for_code(code, "message"),
        error_for_close(1008, f"invalid_request_error.{code}"),
        error_for_close(4999, code),
        error_for_status(418, "message", code=code),
    ):
        assert (type(error), error.code) == (kind, code)


@pytest.mark.parametrize("code", [code for code, _ in FATAL if code != "invalid_model"])
def test_hopeless_codes_come_with_advice(code: str) -> None:
    """The hint names the setting to look at, the same way wherever the code came from."""
    errors = [error_for_code(code, "m"), error_for_close(1008, code), error_for_status(400, "m", code=code)]
    hints = {error.hint for error in errors}

    assert len(hints) == 1
    assert hints != {""}


@pytest.mark.parametrize(
    ("close_code", "kind"),
    [
        (1000, EndpointUnreachable),
        (1001, EndpointBusy),
        (1002, ProtocolError),
        (1003, ProtocolError),
        (1005, EndpointUnreachable),
        (1006, EndpointUnreachable),
        (1007, ProtocolError),
        (1008, ProtocolError),
        (1009, ProtocolError),
        (1010, ProtocolError),
        (1011, EndpointBusy),
        (1012, EndpointBusy),
        (1013, EndpointBusy),
        (3000, AccessRefused),
        (4000, ProtocolError),
        (4001, AccessRefused),
        (4002, EndpointUnreachable),
        (4003, AccessRefused),
        (4400, SessionRefused),
        (4401, AccessRefused),
        (4403, AccessRefused),
        (4404, SessionRefused),
        (4408, EndpointBusy),
        (4429, EndpointBusy),
        (4500, EndpointBusy),
        (4600, EndpointUnreachable),
        (4999, EndpointUnreachable),
    ],
)
def test_every_close_of_the_peer_is_a_failure(close_code: int, kind: type[RunnerError]) -> None:
    """Even a polite one: only the close that we asked for is success."""
    for reason in ("", "bye", "bye. And thanks", "a.b.c"):
        error = error_for_close(close_code, reason)
        assert type(error) is kind
        assert error.exit_code > 0
        assert reason in error.message


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("Invalid API key", AccessRefused),
        ("Unauthorized", AccessRefused),
        ("Authentication failed.", AccessRefused),
        ("incorrect api_key provided: [hidden]", AccessRefused),
        ("The token is missing", ProtocolError),
        ("Missing bearer token", AccessRefused),
        ("Forbidden: this project has no access", AccessRefused),
        ("message too long: 4096 tokens", ProtocolError),
        ("invalid frame", ProtocolError),
        ("unknown keyword", ProtocolError),
        ("", ProtocolError),
    ],
)
def test_a_broken_policy_may_be_an_invalid_key(reason: str, kind: type[RunnerError]) -> None:
    """The words of a close with 1008 say so; those of any other code do not count."""
    assert type(error_for_close(1008, reason)) is kind
    assert type(error_for_close(1006, reason)) is EndpointUnreachable


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("", "404: no such model", SessionRefused),
        ("", "400: {'error': 'Invalid model name passed in model=x'}", SessionRefused),
        ("", "HTTP 401 Unauthorized", AccessRefused),
        ("", "HTTP/1.1 403 Forbidden", AccessRefused),
        ("", "Error code: 422 - the voice is unknown", SessionRefused),
        ("404", "no such model", SessionRefused),
        ("", "the endpoint closed the session with 1011: 404: no such model", SessionRefused),
        ("", "408: slow", None),
        ("", "429: later", None),
        ("", "500: oops", None),
        ("", "4040 models, and none of them", None),
        ("", "no model 404", None),
        ("model_overloaded", "later", None),
    ],
)
def test_a_status_instead_of_a_greeting(code: str, message: str, kind: type[RunnerError] | None) -> None:
    """A gateway that has accepted the WebSocket refuses the session by an error whose code or words begin with 4xx."""
    error = refused_before_greeting(EndpointBusy(message, code=code, hint="a hint"))

    assert (type(error) if error else None) is kind
    if error:
        assert (error.message, error.code, error.hint) == (message, code, "a hint")
        assert recovery_of(error, {}) == "hopeless"


@pytest.mark.parametrize(
    ("close_code", "reason", "message"),
    [
        (1006, "", "the connection was lost without a close"),
        (1000, "", "the endpoint closed the session with 1000"),
        (1001, "Your session hit the maximum duration", "the endpoint closed the session with 1001: Your session hit"),
    ],
)
def test_a_close_is_reported_in_words(close_code: int, reason: str, message: str) -> None:
    """Code and reason, where there is one."""
    assert error_for_close(close_code, reason).message.startswith(message)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, SessionRefused),
        (401, AccessRefused),
        (403, AccessRefused),
        (404, SessionRefused),
        (407, AccessRefused),
        (408, EndpointBusy),
        (418, SessionRefused),
        (422, SessionRefused),
        (429, EndpointBusy),
        (500, EndpointBusy),
        (502, EndpointBusy),
        (503, EndpointBusy),
        (504, EndpointBusy),
        (301, EndpointUnreachable),
        (599, EndpointBusy),
    ],
)
def test_a_refused_handshake_by_status(status: int, kind: type[RunnerError]) -> None:
    """What can be retried and what cannot is decided by the class of the error."""
    error = error_for_status(status, "why", code="novelty")

    assert type(error) is kind
    assert error.message == f"the endpoint refused the session with HTTP {status}: why"
    assert error.code == "novelty"


def test_the_wait_that_was_asked_for_is_kept() -> None:
    """`Retry-After` belongs to what is temporary, and to nothing else."""
    busy = error_for_status(429, "slow down", retry_after_s=1.5)
    expired = error_for_status(400, "over", code="session_expired", retry_after_s=2.0)
    refused = error_for_status(401, "no", retry_after_s=1.5)

    assert isinstance(busy, EndpointBusy)
    assert isinstance(expired, EndpointBusy)
    assert (busy.retry_after_s, expired.retry_after_s) == (1.5, 2.0)
    assert not hasattr(refused, "retry_after_s")


def test_no_quota_is_not_a_rate_limit() -> None:
    """Both come with 429; waiting helps with one of them only."""
    assert isinstance(error_for_status(429, "pay first", code="insufficient_quota"), AccessRefused)


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "server_error", "server_overloaded"])
def test_what_is_temporary_is_so_by_code_and_by_type(code: str) -> None:
    """One table, wherever the word stands; the session lives on."""
    by_code, by_type = error_for_code(code, "m", kind="x"), error_for_code("", "m", kind=code)

    for error in (by_code, by_type, error_for_code("novelty", "m", kind=code), error_for_close(1000, f"x.{code}")):
        assert isinstance(error, EndpointBusy)
    assert by_code.code == by_type.code == code
    assert severity(code) == severity("", kind=code) == "recoverable"


def test_a_code_goes_before_a_type() -> None:
    """The type is a class of errors, the code is the error."""
    assert isinstance(error_for_code("insufficient_quota", "m", kind="server_error"), AccessRefused)
    assert severity("response_cancel_not_active", kind="insufficient_quota") == "harmless"
    assert severity(None, kind="insufficient_quota") == "fatal"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointUnreachable("lost"), "temporary"),
        (BrokenWire("garbage"), "temporary"),
        (EndpointBusy("busy"), "temporary"),
        (ProtocolError("what"), "hopeless"),
        (AccessRefused("no"), "hopeless"),
        (SessionRefused("no"), "hopeless"),
        (SecretError("none"), "hopeless"),
        (IllegalEvent("bug"), "hopeless"),
        (error_for_close(1006, ""), "temporary"),
        (error_for_close(1000, ""), "temporary"),
        (error_for_close(1001, "over"), "expired"),
        (error_for_close(1008, "x.session_expired"), "expired"),
        (error_for_close(1001, "x.invalid_api_key"), "hopeless"),
        (error_for_close(1008, "policy"), "hopeless"),
        (error_for_close(1011, "oops"), "temporary"),
        (error_for_close(1012, "restart"), "temporary"),
        (error_for_close(3000, "x"), "hopeless"),
        (error_for_code("session_expired", "m"), "expired"),
        (error_for_code("insufficient_quota", "m"), "hopeless"),
        (error_for_code("server_error", "m"), "temporary"),
        (error_for_code("rate_limit_exceeded", "m"), "temporary"),
        (error_for_code("novelty", "m"), "hopeless"),
        *((error_for_status(each, "m"), "hopeless") for each in (301, 400, 401, 403, 404, 407, 418)),
        *((error_for_status(each, "m"), "temporary") for each in (408, 429, 500, 503)),
        (error_for_status(429, "m", code="insufficient_quota"), "hopeless"),
    ],
    ids=str,
)
def test_the_recovery_of_a_session(error: RunnerError, expected: str) -> None:
    """Whether another connection may fare better."""
    assert recovery_of(error, {}) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (error_for_close(1008, "policy"), "temporary"),
        (error_for_close(1001, "over"), "hopeless"),
        (error_for_status(404, "m"), "temporary"),
        (error_for_status(503, "m"), "hopeless"),
        (error_for_status(404, "m", code="novelty"), "hopeless"),
        (error_for_status(503, "m", code="oddity"), "temporary"),
        (error_for_code("oddity", "m"), "temporary"),
        (error_for_status(401, "m"), "hopeless"),
        (EndpointUnreachable("lost"), "temporary"),
    ],
    ids=str,
)
def test_a_profile_may_know_better(error: RunnerError, expected: str) -> None:
    """By code before status."""
    classified: dict[str, Literal["temporary", "hopeless"]] = {
        "novelty": "hopeless",
        "oddity": "temporary",
        "404": "temporary",
        "503": "hopeless",
        "1008": "temporary",
        "1001": "hopeless",
    }

    assert recovery_of(error, classified) == expected


@pytest.mark.parametrize("place", range(980, 1001, 4))
def test_words_are_masked_before_they_are_cut(place: int) -> None:
    """An endpoint that echoes a key at the end of what a message repeats leaves no part of it there."""
    hide("made-up-secret-of-a-test")
    words = "." * place + "made-up-secret-of-a-test" + "x" * 10_000_000

    errors = [
        error_for_code("x", words),
        error_for_failure("the response failed", {"message": words}),
        error_for_close(1011, words),
        error_for_status(400, words),
    ]
    assert all("made" not in each.message and len(each.message) < 1100 for each in errors)
