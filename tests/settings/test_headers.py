"""What HTTP takes as a header."""

import pytest

from runner.settings.headers import header_problem


@pytest.mark.parametrize(
    ("name", "value", "problem", "hint"),
    [
        ("X-A", "a b\tc", "", ""),
        ("X-A", "", "", ""),
        ("Host", "x", "belongs to the WebSocket handshake", "remove it from `endpoint.headers`"),
        ("sec-websocket-extensions", "", "belongs to the WebSocket handshake", "remove it from `endpoint.headers`"),
        ("X-A", "Jörg", "holds characters that HTTP does not allow", "it has letters that are not ASCII"),
        ("X-A", "a\r\nX-B: 1", "holds characters that HTTP does not allow", "it has a line break"),
        ("X-A", " a", "holds characters that HTTP does not allow", "it has a space or line break at one of its ends"),
        ("X-A", "a\x7f", "holds characters that HTTP does not allow", "it has a line break or another control"),
    ],
)
def test_a_header_is_judged_in_words(name: str, value: str, problem: str, hint: str) -> None:
    """By the check and by the handshake alike."""
    told, advice = header_problem(name, value)

    assert told == problem
    assert advice.startswith(hint)
