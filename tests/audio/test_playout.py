"""The clock of what is heard."""

import random

import pytest

from runner.audio.playout import MAX_ITEMS, Playout


def test_pieces_follow_each_other_as_a_listener_hears_them() -> None:
    """What comes early waits for its turn, what comes late is heard when it comes."""
    clock = Playout()

    assert clock.put("a", 1000, 10.0) == 10.0
    assert clock.put("a", 500, 10.1) == 11.0
    assert clock.put("b", 500, 10.2) == 11.5
    assert clock.put("b", 100, 20.0) == 20.0
    assert clock.end_s == pytest.approx(20.1)


def test_what_was_heard_grows_with_the_time() -> None:
    """Never more than was received, and nothing in a pause."""
    clock = Playout()
    clock.put("a", 1000, 0.0)
    assert [clock.heard_ms("a", now) for now in (-1.0, 0.25, 3.0)] == [0, pytest.approx(250), 1000]
    clock.put("a", 1000, 5.0)
    assert [clock.heard_ms("a", now) for now in (5.5, 9.0)] == [pytest.approx(1500), 2000]
    assert clock.heard_ms("unknown", 1.0) == 0


def test_stopping_tells_of_all_that_was_not_heard_to_its_end() -> None:
    """The rest is dropped, and what comes next is heard at once."""
    clock = Playout()
    for item in "abc":
        clock.put(item, 1000, 0.0)

    heard = clock.stop(1.25)
    assert [(each.item_id, round(each.heard_ms), each.received_ms) for each in heard] == [
        ("b", 250, 1000),
        ("c", 0, 1000),
    ]
    assert clock.end_s == 1.25
    assert clock.put("d", 100, 1.3) == 1.3
    assert clock.stop(5.0) == []


def test_a_place_in_an_item_has_its_time() -> None:
    """Also where a pause or another item lies between its pieces."""
    clock = Playout()
    clock.put("a", 1000, 0.0)
    clock.put("b", 500, 0.0)
    clock.put("a", 1000, 0.0)

    assert [clock.time_of("a", ms) for ms in (0, 500, 1500, 9999)] == [0, 0.5, pytest.approx(2.0), pytest.approx(2.5)]
    assert clock.time_of("b", 250) == 1.25
    clock.put("b", 500, 9.0)
    assert clock.time_of("b", 250) == 1.25
    assert clock.time_of("unknown", 1) is None


def test_an_hour_of_pieces_keeps_no_list_and_does_not_drift() -> None:
    """Each piece comes a little late; the sum is exact, and what is remembered stays small."""
    clock, numbers, now = Playout(), random.Random(1), 0.0  # noqa: S311  # no secret
    for _ in range(36_000):
        now = max(now, clock.end_s) + numbers.random() / 1000
        clock.put("a", 100, now)

    assert clock.heard_ms("a", now + 1) == pytest.approx(3_600_000, abs=0.1)
    assert len(clock._items["a"].spans) < 100


def test_items_are_forgotten() -> None:
    """Those that are over, and the oldest of too many."""
    clock = Playout()
    for number in range(MAX_ITEMS + 1):
        clock.put(str(number), 1, 0.0)
    clock.forget("1")

    assert clock.time_of("0", 1) is None
    assert clock.time_of("1", 1) is None
    assert clock.time_of("2", 0) is not None
