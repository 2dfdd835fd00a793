"""The schedule of a recording, on a clock that moves by itself."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from trio.testing import MockClock

from runner.inputs.pacing import Pace

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> MockClock:
    """A clock that jumps to the next deadline whenever every task waits."""
    return MockClock(autojump_threshold=0)


@pytest.fixture
def anyio_backend(clock: MockClock) -> tuple[str, dict[str, Any]]:
    """Trio, on that clock."""
    return "trio", {"clock": clock}


async def test_a_piece_is_never_early_and_delays_do_not_add_up(clock: MockClock) -> None:
    """What happens between two pieces does not move those that follow."""
    pace, since_s = Pace(), anyio.current_time()
    for number in range(20):
        await pace.due(0.02)
        assert anyio.current_time() - since_s == pytest.approx(number * 0.02)
        clock.jump(0.01)


async def test_late_pieces_catch_up_to_what_is_due_and_no_further() -> None:
    """After a pause the pieces that became due meanwhile go out at once, and then the schedule holds again."""
    pace, since_s = Pace(), anyio.current_time()
    await pace.due(0.05)
    await anyio.sleep(0.21)
    for _ in range(4):
        await pace.due(0.05)

    assert anyio.current_time() - since_s == pytest.approx(0.21)
    await pace.due(0.05)
    assert anyio.current_time() - since_s == pytest.approx(0.25)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_piece_is_early_in_real_time() -> None:
    """The clock of every event loop serves."""
    pace, since_s = Pace(), anyio.current_time()
    for number in range(5):
        await pace.due(0.02)
        assert anyio.current_time() - since_s >= number * 0.02


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_without_real_time_other_tasks_still_have_their_turn() -> None:
    """A long recording does not stop the connection from being read."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        pace = Pace(in_real_time=False)
        for _ in range(100):
            await pace.due(3600)
        tasks.cancel_scope.cancel()

    assert ticks >= 50
