"""Errors say what happened in few words."""

import pytest

from runner import redaction
from runner.errors import AccessRefused, EndpointBusy, EndpointUnreachable, failed_attempt, reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory", "/x"), "No such file or directory"),
        (OSError("the device is gone"), "the device is gone"),
        (ValueError("embedded null byte"), "embedded null byte"),
        (OSError(), "OSError"),
    ],
)
def test_a_reason_is_never_empty(error: Exception, reason: str) -> None:
    """The operating system's words without number and file, else the error's own, else its type."""
    assert reason_of(error) == reason


def test_the_texts_of_an_error_hold_no_secret() -> None:
    """A program that catches an error may show all of it; numbers stay."""
    with redaction.hidden({"sk-made-up"}):
        error = EndpointBusy("no sk-made-up", hint="not sk-made-up", code="sk-made-up", status=429, retry_after_s=1.5)

    assert (str(error), error.message, error.hint) == ("no [hidden]", "no [hidden]", "not [hidden]")
    assert (error.code, error.status, error.retry_after_s) == ("[hidden]", 429, 1.5)


@pytest.mark.parametrize("wrap", [0, 1, 2])
def test_whatever_an_attempt_raises_is_a_failed_attempt(wrap: int) -> None:
    """Its type and its words are told on one line, without a secret, however deep it lies in groups."""
    raised: Exception = UnicodeError("label\ntoo long for sk-made-up")
    for _ in range(wrap):
        raised = ExceptionGroup("tasks", [raised])

    with redaction.hidden({"sk-made-up"}):
        error = failed_attempt(raised)

    assert type(error) is EndpointUnreachable
    assert str(error) == "the attempt to connect failed: UnicodeError: label too long for [hidden]"


def test_an_explained_error_stays_what_it_is() -> None:
    """Also inside a group."""
    refused = AccessRefused("no")

    assert failed_attempt(refused) is refused
    assert failed_attempt(ExceptionGroup("tasks", [refused, ValueError("x")])) is refused
