"""A Live conversation over connections that are replaced and lost, in a small form."""

from tests.endurance.live_rollovers import is_as_it_should, lived_live
from tests.helpers.virtual_time import in_virtual_time


def test_a_live_conversation_outlives_its_connections() -> None:
    """Every connection is told exactly what was said, within the bounds; each question is answered once."""
    found = in_virtual_time(lived_live, 20)

    assert is_as_it_should(found), found
    assert min(found["rollovers"], found["losses"]) >= 2
    assert found["told_within_bounds"]
