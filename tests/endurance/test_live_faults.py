"""Every fault of the local endpoint, met by a Live session: a table of docs/reliability.md."""

import pytest

from tests.endurance.live_faults import LIVE_CASES, LiveCase, live_tried
from tests.helpers.virtual_time import in_virtual_time


@pytest.mark.parametrize("case", LIVE_CASES, ids=[case.name for case in LIVE_CASES])
def test_a_fault_of_a_live_session_ends_as_it_should(case: LiveCase) -> None:
    """The session is not affected, or recovers with each answer whole, or ends with the exit code that says why."""
    assert in_virtual_time(live_tried, case).outcome == case.outcome
