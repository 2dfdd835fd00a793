"""Tools are called while connections are cut."""

import pytest

from tests.endurance.calls import Tally, converse


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_every_call_runs_once_whenever_connections_are_cut() -> None:
    """Each has its output, and each answer its results."""
    tally = Tally()

    await converse(7, tally, questions=5, losses=12)

    assert tally.wrong == []
    assert tally.calls == 10
    assert tally.connections > 1
