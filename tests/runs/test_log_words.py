"""What somebody at a terminal is told of the log."""

from typing import Any

import pytest

from runner.runs.log_words import words_of


@pytest.mark.parametrize(
    ("level", "line", "words"),
    [
        ("info", {"event": "session_resumed", "gap_s": 0.31}, "connection lost, back after 0.3 s"),
        (
            "info",
            {"event": "session_resumed", "gap_s": 2, "audio_dropped_bytes": 8},
            "connection lost, back after 2.0 s; what was said meanwhile is lost",
        ),
        (
            "warning",
            {"event": "fork_refused", "error": "not closed"},
            "the endpoint does not fork the session, and is told what was said: not closed",
        ),
        ("warning", {"event": "response_failed", "error": "overloaded"}, "the response failed: overloaded"),
        ("info", {"event": "response_retried", "failures": 1}, "asking again, attempt 2"),
        ("warning", {"event": "connection_lost"}, ""),
        ("warning", {"event": "grace_expired", "grace_s": 10}, "the end took longer than 10.0 s and is cut short"),
        (
            "warning",
            {"event": "limit_near", "name": "max_turns", "spent": 8, "limit": 10},
            "limit near: 8 of 10 (max_turns)",
        ),
        (
            "warning",
            {"event": "tool_not_run", "tool": "cancel_order", "outcome": "denied", "reason": "The call was denied."},
            "cancel_order was not run: The call was denied.",
        ),
        (
            "info",
            {"event": "state_resumed", "path": "a.state", "items": 4, "asked_again": 1},
            "goes on with a conversation of 4 items, and asks again what was not answered",
        ),
        (
            "warning",
            {"event": "tool_interrupted", "tool": "pay", "call_id": "c"},
            "pay is not run again: how it has ended is not known",
        ),
        ("info", {"event": "tool_called", "tool": "price", "outcome": "ok"}, ""),
        ("warning", {"event": "tool_called", "tool": "price", "outcome": "timed-out"}, "price was called: timed-out"),
        (
            "warning",
            {"event": "tool_unreachable", "tool": "price", "host": "127.0.0.1", "error": "connection refused"},
            "price cannot be reached: connection refused",
        ),
        ("info", {"event": "session_opened"}, ""),
        ("warning", {"event": "file_readable_by_others"}, None),
        ("error", {"event": "internal_error"}, None),
        ("info", {"event": "session_resumed"}, "connection lost, back after a while"),
    ],
)
def test_a_line_is_reported_in_words_or_not_at_all(level: str, line: dict[str, Any], words: str | None) -> None:
    """What is written from `warning` on and has no words is for the log."""
    assert words_of(level, line) == words
