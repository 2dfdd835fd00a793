"""The schedule of what is said in real time."""

import time

import anyio
import anyio.lowlevel
import pytest

from runner.inputs.pacing import Pace

pytestmark = pytest.mark.anyio


async def test_a_piece_is_never_early_and_delays_do_not_add_up() -> None:
    """What happens between two pieces does not move those that follow."""
    pace, since_s = Pace(), anyio.current_time()
    for number in range(20):
        await pace.due(0.02)
        assert anyio.current_time() - since_s >= number * 0.02
        time.sleep(0.01)  # noqa: ASYNC251  # what keeps the loop busy

    assert anyio.current_time() - since_s < 19 * 0.02 + 0.1


async def test_who_is_late_catches_up_to_what_is_due_and_no_further() -> None:
    """After a pause what was due meanwhile goes out at once, and then the schedule holds again."""
    pace, since_s = Pace(), anyio.current_time()
    await pace.due(0.05)
    await anyio.sleep(0.21)
    for _ in range(4):
        await pace.due(0.05)
    caught_up_s = anyio.current_time() - since_s
    await pace.due(0.05)

    assert caught_up_s < 0.25
    assert anyio.current_time() - since_s >= 0.25


async def test_without_real_time_others_still_have_their_turn() -> None:
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
