"""A conversation that moves between a realtime and a Live session, in a small form."""

import pytest

from runner.api.session_types import SessionType
from tests.endurance.across import is_as_it_should, lived_across
from tests.helpers.virtual_time import in_virtual_time


@pytest.mark.parametrize("own", ["realtime", "live"])
def test_a_conversation_outlives_the_kind_of_its_session(own: SessionType) -> None:
    """Each question is answered once, whoever answers it, and each Live session is told exactly what was said."""
    found = in_virtual_time(lived_across, own, 10)

    assert is_as_it_should(found), found
    assert min(found["takeovers"], found["ways_back"]) >= 2
