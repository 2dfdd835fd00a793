"""The byte-bounded queue between pump and readers."""

import anyio
import pytest

from runner.session.queue import ITEM_BYTES, ByteQueue

pytestmark = pytest.mark.anyio


async def test_everything_comes_out_in_order_and_then_the_end() -> None:
    """Closing lets what waits be read first."""
    queue: ByteQueue[int] = ByteQueue(10_000)
    assert all(queue.put(number, 1) for number in range(5))
    queue.close()

    assert await queue.get_all() == [0, 1, 2, 3, 4]
    assert await queue.get_all() == []
    assert not queue.put(5, 1)


async def test_a_full_queue_refuses_and_one_large_item_passes() -> None:
    """The bound is on what waits; an item larger than it can still pass alone."""
    queue: ByteQueue[str] = ByteQueue(10)

    assert queue.put("large", 50)
    assert not queue.put("more", 1)
    assert await queue.get_all() == ["large"]
    assert queue.put("more", 1)


async def test_the_bound_is_of_memory_not_of_the_wire() -> None:
    """Many small items take more than what they came in: each counts for what holding it takes."""
    queue: ByteQueue[int] = ByteQueue(10 * (ITEM_BYTES + 1))

    assert [queue.put(number, 1) for number in range(12)] == [*[True] * 10, False, False]


async def test_what_a_reader_holds_counts_until_it_comes_for_more() -> None:
    """A writer that hangs in its thread has not freed anything."""
    queue: ByteQueue[int] = ByteQueue(4 * (ITEM_BYTES + 1))
    for number in range(3):
        queue.put(number, 1)
    await queue.get_all()

    assert [queue.put(number, 1) for number in range(3)] == [True, False, False]
    await queue.get_all()
    assert [queue.put(number, 1) for number in range(4)] == [True, True, True, False]


async def test_a_cancelled_reader_loses_nothing() -> None:
    """What comes while a cancelled reader leaves is there for the next one."""
    queue: ByteQueue[int] = ByteQueue(100)
    with anyio.move_on_after(0.01):
        await queue.get_all()
    queue.put(1, 1)

    with anyio.fail_after(1):
        assert await queue.get_all() == [1]


async def test_drained_waits_for_what_was_taken_to_be_dealt_with() -> None:
    """Taking is not yet writing."""
    queue: ByteQueue[int] = ByteQueue(100)
    queue.put(1, 1)
    await queue.get_all()

    with anyio.move_on_after(0.01) as scope:
        await queue.drained()
    assert scope.cancelled_caught
    queue.done()
    with anyio.fail_after(1):
        await queue.drained()


async def test_what_is_dealt_with_counts_no_longer() -> None:
    """A writer that waits for its interval holds nothing, and has its whole bound for what comes meanwhile."""
    queue: ByteQueue[int] = ByteQueue(2 * ITEM_BYTES)
    queue.put(1, 0)
    queue.put(2, 0)
    await queue.get_all()

    queue.done()

    assert queue.put(3, 0)
    assert queue.put(4, 0)
