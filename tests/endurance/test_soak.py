"""Conversations in faults, for a while."""

import anyio
import pytest

from tests.endurance.soak import soaked

pytestmark = pytest.mark.no_cover  # it counts memory


@pytest.mark.long
def test_nothing_is_left_of_conversations_in_faults() -> None:
    """A short soak: every turn is answered once, and afterwards no task and no socket remains."""
    found = anyio.run(soaked, 0.1, 8, 4.0, 16)

    assert found["turns"] >= 16
    assert (found["wrong"], found["failed"], found["afterwards"]["tasks"]) == (0, 0, 1)
