"""Errors say what happened in few words."""

import pytest

from runner.errors import EndpointBusy, reason_of


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


def test_the_texts_of_an_error_can_be_reworded() -> None:
    """All of them, also what `str` says; numbers and type stay."""
    error = EndpointBusy("no key", hint="another key", code="key_busy", status=429, retry_after_s=1.5)

    error.reword(lambda text: text.replace("key", "…"))

    assert (str(error), error.message, error.hint, error.code) == ("no …", "no …", "another …", "…_busy")
    assert (error.status, error.retry_after_s) == (429, 1.5)
