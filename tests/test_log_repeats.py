"""Lines that say the same again and again are counted."""

import io
import json
from typing import Any

from runner import logs
from runner.log_repeats import MOST_A_MINUTE, LineRepeats


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now_s


def line(**keys: Any) -> dict[str, Any]:
    """A line about an error."""
    return {"event": "error_reported", "code": "rejected", **keys}


def test_after_the_tenth_in_a_minute_a_line_is_counted() -> None:
    """The next minute's first line says how many were left out; the rest is told at the end, once."""
    clock = Clock()
    repeats = LineRepeats(clock)
    first = [repeats.take(line(error=f"{number}")) for number in range(MOST_A_MINUTE + 5)]
    clock.now_s = 60
    later = [repeats.take(line()) for _ in range(MOST_A_MINUTE + 2)]

    assert first == [0] * MOST_A_MINUTE + [None] * 5
    assert later == [5] + [0] * (MOST_A_MINUTE - 1) + [None] * 2
    assert repeats.left_out() == [{"event": "error_reported", "code": "rejected", "repeats": 2}]
    assert repeats.left_out() == []


def test_other_codes_events_and_sessions_have_counts_of_their_own() -> None:
    """What is rare is not hidden by what is frequent, and a line that reports no code is always written."""
    repeats = LineRepeats(Clock())
    for _ in range(MOST_A_MINUTE * 2):
        repeats.take(line(run_id="a"))

    others = [
        line(run_id="b"),
        line(run_id="a", code="other"),
        {"event": "response_failed", "code": "rejected", "run_id": "a"},
        {"event": "response_incomplete", "reason": "max_output_tokens", "run_id": "a"},
        {"event": "rate_limit_crossed", "name": "tokens", "run_id": "a"},
    ]
    assert [repeats.take(each) for each in others] == [0] * len(others)
    assert [repeats.take({"event": "profile_suspicious", "problem": "x"}) for _ in range(100)] == [0] * 100


def test_kinds_without_end_are_forgotten() -> None:
    """An endpoint that makes up a code for every error does not make the log grow in memory."""
    repeats = LineRepeats(Clock())
    for number in range(5000):
        assert repeats.take(line(code=str(number) + "x" * 10_000)) == 0

    assert len(repeats._kinds) <= 1024
    assert all(len(part) <= 200 for key in repeats._kinds for part in key)


def test_a_flood_of_errors_makes_a_short_log() -> None:
    """50,000 errors are ten lines and a count, however long each is."""
    stream = io.StringIO()
    logs.configure(format="json", stream=stream)
    for _ in range(50_000):
        logs.logger().warning("error_reported", error="x" * 10_000, code="rejected")
    logs.finish()

    lines = [json.loads(each) for each in stream.getvalue().splitlines()]
    assert len(lines) == MOST_A_MINUTE + 1
    assert {len(each["error"]) for each in lines[:-1]} == {1000}
    assert (lines[-1]["event"], lines[-1]["repeats"]) == ("error_reported", 50_000 - MOST_A_MINUTE)
    assert list(lines[0]) == ["timestamp", "level", "event", "error", "code"]
