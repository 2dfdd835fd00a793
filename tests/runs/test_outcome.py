"""The exit code of many runs."""

import pytest

from runner.errors import EndpointUnreachable, SessionRefused
from runner.runs.outcome import Outcome, exit_code

GOOD = Outcome("p", 0, None, is_forced=False)
AWAY = Outcome("p", 69, EndpointUnreachable("away"), is_forced=False)
REFUSED = Outcome("p", 78, SessionRefused("no"), is_forced=False)
INTERRUPTED = Outcome("p", 130, None, is_forced=False)
FORCED = Outcome("p", 143, None, is_forced=True)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([GOOD], 0),
        ([GOOD, GOOD], 0),
        ([GOOD, AWAY, REFUSED], 69),
        ([REFUSED, AWAY, GOOD], 78),
        ([GOOD, INTERRUPTED], 130),
        ([INTERRUPTED, AWAY], 69),
        ([AWAY, FORCED, GOOD], 143),
    ],
)
def test_the_first_that_went_wrong_decides(outcomes: list[Outcome], code: int) -> None:
    """Force before failure before signal before success."""
    assert exit_code(outcomes) == code
