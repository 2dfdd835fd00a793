"""A Live conversation over connections that are replaced and lost, in a small form."""

import pytest

from tests.endurance.live_rollovers import is_as_it_should, lived_live
from tests.helpers.virtual_time import in_virtual_time


@pytest.mark.parametrize(("turns", "is_stored"), [(20, False), (8, True)], ids=["told", "forked"])
def test_a_live_conversation_outlives_its_connections(turns: int, *, is_stored: bool) -> None:
    """Every connection is told exactly what was said, or forks the one before; each question is answered once."""
    found = in_virtual_time(lived_live, turns, is_stored=is_stored)

    assert is_as_it_should(found), found
    assert min(found["rollovers"], found["losses"]) >= 1
    assert bool(found["told_within_bounds"]) is not is_stored
    assert found["forks"] == (found["rollovers"] + found["losses"] if is_stored else 0)
