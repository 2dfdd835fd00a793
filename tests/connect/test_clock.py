"""How far two clocks are apart."""

import pytest

from runner.connect.clock import clock_behind_s

NEW_YEAR = {"date": "Thu, 01 Jan 2026 00:00:00 GMT"}
NEW_YEAR_S = 1_767_225_600.0


@pytest.mark.parametrize(("ours_s", "behind_s"), [(-3600.0, 3600.0), (3600.0, -3600.0), (-4.9, 0.0), (4.9, 0.0)])
def test_only_a_difference_worth_its_name_counts(ours_s: float, behind_s: float) -> None:
    """The date has whole seconds, and travels."""
    assert clock_behind_s(NEW_YEAR, NEW_YEAR_S + ours_s) == behind_s


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"date": ""},
        {"date": "soon"},
        {"date": "Thu, 01 Jan 99999999999 00:00:00 GMT"},
        {"date": "Thu, 01 Jan 2026 00:00:00 +99999999"},
        {"date": "Thu, 99 Foo 2026 99:99:99 GMT"},
    ],
)
def test_an_endpoint_that_does_not_say_is_taken_to_agree(headers: dict[str, str]) -> None:
    """Nothing is made up for a date that cannot be read."""
    assert clock_behind_s(headers, NEW_YEAR_S) == 0.0
