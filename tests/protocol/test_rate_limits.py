"""What the endpoint leaves us."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.protocol.rate_limits import LONGEST_WAIT_S, RateLimitCrossed, RateLimits
from runner.protocol.side_fields import SideFields


def entry(remaining: Any = 100, *, name: Any = "tokens", limit: Any = 100, reset_s: Any = 10) -> dict[str, Any]:
    """One limit as the API says it."""
    return {"name": name, "limit": limit, "remaining": remaining, "reset_seconds": reset_s}


@pytest.mark.parametrize(
    ("remaining", "reported"),
    [
        ([100, 90, 21], []),
        ([100, 20], [20]),
        ([5], [5]),
        ([100, 20, 19, 6, 5, 4, 1, 0, 0], [20, 5, 0]),
        ([100, 0], [0]),
        ([20, 21], [20, 21]),
        ([0, 1, 0, 15, 0, 100, 99, 0], [0, 100, 0]),
        ([4, 6, 4, 20, 3], [4]),
        ([150, 100], []),
    ],
)
def test_thresholds_are_reported_once_until_the_limit_has_recovered(remaining: list[int], reported: list[int]) -> None:
    """At 20 %, 5 % and nothing, and above 20 % again; going to and fro between is not worth a word."""
    limits = RateLimits()

    found = [each for amount in remaining for each in limits.update([entry(amount)], 0)]

    assert found == [RateLimitCrossed("tokens", 100, amount, 10.0, amount / 100) for amount in reported]


def test_each_limit_is_followed_by_its_name() -> None:
    """Many tokens do not make up for requests."""
    limits = RateLimits()
    limits.update([entry(name="requests"), entry(name="tokens")], 0)

    (crossed,) = limits.update([entry(10, name="requests"), entry(90, name="tokens")], 0)

    assert crossed.name == "requests"
    assert limits.update([entry(80, name="tokens")], 0) == []


@pytest.mark.parametrize(
    "bad",
    [
        entry(name=None),
        entry(-1),
        entry(None),
        entry("0"),
        entry(0.5),
        entry(limit=True),
        entry(reset_s=-1),
        entry(reset_s="soon"),
        entry(reset_s=float("nan")),
        entry(reset_s=float("inf")),
    ],
)
def test_what_cannot_be_read_of_an_entry_is_left_out_and_reported(bad: dict[str, Any]) -> None:
    """The good entries beside it count."""
    side = SideFields()
    limits = RateLimits(side)

    assert "good" in [each.name for each in limits.update([entry(0, name="good"), bad], 0)]
    assert limits.wait_s(0) == 10
    assert len(side.report("rate_limits.updated")) == 1


def test_a_limit_of_nothing_is_none() -> None:
    """An endpoint without limits may say so with zeros."""
    limits = RateLimits()

    assert limits.update([entry(0, limit=0)], 0) == []
    assert limits.wait_s(0) == 0


@pytest.mark.parametrize(
    ("entries", "at_s", "wait_s"),
    [
        ([], 0, 0),
        ([entry(1)], 0, 0),
        ([entry(0)], 100, 10),
        ([entry(0)], 104.5, 5.5),
        ([entry(0)], 110, 0),
        ([entry(0)], 200, 0),
        ([entry(0, reset_s=None)], 100, 0),
        ([entry(0, reset_s=86400)], 100, LONGEST_WAIT_S),
        ([entry(0), entry(0, name="requests", reset_s=20), entry(1, name="more", reset_s=99)], 100, 20),
        ([entry(0), entry(7)], 100, 0),
    ],
)
def test_who_has_nothing_left_waits_for_the_reset(entries: list[dict[str, Any]], at_s: float, wait_s: float) -> None:
    """For the last of those that are used up, within bounds."""
    limits = RateLimits()
    limits.update(entries, 100)

    assert limits.wait_s(at_s) == wait_s


def test_names_are_bounded() -> None:
    """An endpoint that invents names does not fill our memory, nor the log."""
    limits = RateLimits()
    for number in range(1000):
        limits.update([entry(0, name=f"limit {number}", reset_s=number / 10)], 0)
    (crossed,) = limits.update([entry(0, name="forged\nline " + "x" * 1000, reset_s=0)], 0)

    assert limits.wait_s(0) == 99.9
    assert crossed.name.startswith("forged line x")
    assert len(crossed.name) == 128
    assert len(limits.update([entry(0, name=str(number)) for number in range(1000)], 0)) <= 32


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1000)), max_size=20), st.floats(0, 2000))
def test_the_wait_is_always_bounded(steps: list[tuple[int, float]], at_s: float) -> None:
    """And nothing is reported twice in a row."""
    limits = RateLimits()
    reported = [each for amount, reset_s in steps for each in limits.update([entry(amount, reset_s=reset_s)], 0)]

    assert 0 <= limits.wait_s(at_s) <= LONGEST_WAIT_S
    levels = [sum(each.share <= threshold for threshold in (0.2, 0.05, 0)) for each in reported]
    assert all(one < other or other == 0 for one, other in zip([0, *levels], levels, strict=False))
    assert levels[:1] != [0]
