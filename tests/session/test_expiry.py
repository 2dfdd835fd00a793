"""When a connection is replaced."""

import math
from time import time

import pytest

from runner.session.expiry import Expiry
from runner.settings.continuity import Rollover
from tests.helpers.networkless_link import StillLink

NOW_S = 10_000.0


def expiry(*, left_s: float | None = None, age_s: float = 0.0, **settings: float) -> Expiry:
    """Of a connection that the endpoint ends in so many seconds, or does not end."""
    link = StillLink(opened_s=NOW_S - age_s)
    link.state.expires_at = round(time() + left_s) if left_s is not None else 0
    return Expiry(link.as_link(), Rollover(**settings), NOW_S)


def moments(found: Expiry) -> tuple[float, float, float]:
    """In seconds from now."""
    return tuple(round(each - NOW_S) for each in (found.seek_s, found.hold_s, found.cut_s))  # type: ignore[return-value]  # three of three


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (expiry(left_s=1800), (1680, 1740, 1799)),
        (expiry(left_s=1800, margin_s=100), (1600, 1700, 1799)),
        (expiry(left_s=80), (40, 60, 79)),
        (expiry(left_s=1800, max_age_s=600), (480, 540, 599)),
        (expiry(left_s=600, max_age_s=1800), (480, 540, 599)),
        (expiry(max_age_s=600), (480, 540, 599)),
        (expiry(max_age_s=600, age_s=100), (380, 440, 499)),
    ],
)
def test_a_quiet_moment_is_sought_before_the_end(found: Expiry, expected: tuple[float, ...]) -> None:
    """From two margins before it; a margin is no more than a quarter of a life."""
    assert moments(found) == pytest.approx(expected, abs=2)


def test_the_end_is_the_same_however_late_it_is_looked_at() -> None:
    """A connection that is taken up again at the end of its life is not over before its time."""
    assert moments(expiry(left_s=100, age_s=1700)) == pytest.approx((-20, 40, 99), abs=2)


@pytest.mark.parametrize(
    "found", [expiry(), expiry(left_s=1800, margin_s=0), expiry(left_s=-5), expiry(max_age_s=9, margin_s=0)]
)
def test_some_connections_have_no_end(found: Expiry) -> None:
    """None is known, none is wanted, or one of the clocks is wrong."""
    assert (found.seek_s, found.hold_s, found.cut_s) == (math.inf,) * 3
    assert found.next_s(NOW_S) == math.inf


def test_the_next_moment_is_one_that_is_still_to_come() -> None:
    """One after the other, then none."""
    found = expiry(left_s=1800)

    assert found.next_s(NOW_S) == found.seek_s
    assert found.next_s(found.seek_s) == found.hold_s
    assert found.next_s(found.hold_s) == found.cut_s
    assert found.next_s(found.cut_s) == math.inf
    assert found.seek_s < found.hold_s < found.cut_s
