"""What a program reads of a session, on a still connection."""

import gc

import anyio
import pytest

from runner.errors import AccessRefused, RunnerError
from runner.protocol.json_fields import JsonObject
from runner.session.carriage import Carriage
from runner.session.subscription import Subscription
from tests.helpers.still_connection import StillConnection, still_link

pytestmark = pytest.mark.anyio

EVENT = {"type": "input_audio_buffer.cleared"}


async def carried(connection: StillConnection) -> Carriage:
    """A session on this connection."""
    carriage = Carriage(anyio.current_time())
    carriage.carry(await still_link(connection, carriage.changes))
    return carriage


def events(carriage: Carriage, max_bytes: int = 10_000) -> Subscription[JsonObject]:
    """Its events from now on."""
    return Subscription(carriage, lambda update: [update.event] if update.event else [], max_bytes)


async def test_it_begins_when_it_is_made_and_ends_with_the_session() -> None:
    """What came before is not read, what comes after is, in order."""
    connection = StillConnection()
    carriage = await carried(connection)
    connection.come(EVENT)
    subscription = events(carriage)
    for number in range(3):
        connection.come({**EVENT, "event_id": str(number)})
    carriage.end()

    assert [event["event_id"] async for event in subscription] == ["0", "1", "2"]


async def test_a_failure_is_raised_after_what_came_before_it() -> None:
    """And again, whenever it is read."""
    connection = StillConnection()
    carriage = await carried(connection)
    subscription = events(carriage)
    connection.come(EVENT)
    carriage.end(AccessRefused("no"))

    assert await anext(subscription) == EVENT
    for _ in range(2):
        with pytest.raises(AccessRefused):
            await anext(subscription)


@pytest.mark.parametrize("ends", [False, True])
async def test_a_gap_is_an_error_also_when_the_session_has_ended(ends: bool) -> None:
    """What was kept is read first; the program learns where it fell behind."""
    connection = StillConnection()
    carriage = await carried(connection)
    subscription = events(carriage, max_bytes=10)
    for _ in range(5):
        connection.come(EVENT)
    if ends:
        carriage.end()

    assert await anext(subscription) == EVENT
    for _ in range(2):
        with pytest.raises(RunnerError, match="more than 10 bytes"):
            await anext(subscription)


async def test_two_tasks_may_read_one_subscription() -> None:
    """Each event goes to one of them, and the end to both."""
    connection, got = StillConnection(), list[str]()
    carriage = await carried(connection)
    subscription = events(carriage)

    async def read() -> None:
        got.extend([event["event_id"] async for event in subscription])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        connection.come({**EVENT, "event_id": "0"})
        await anyio.wait_all_tasks_blocked()
        connection.come({**EVENT, "event_id": "1"})
        await anyio.wait_all_tasks_blocked()
        carriage.end()

    assert sorted(got) == ["0", "1"]


async def test_what_the_program_drops_reads_no_more() -> None:
    """With the last reference, or by `close`."""
    carriage = await carried(StillConnection())
    dropped, closed = events(carriage), events(carriage)
    assert len(carriage.readers) == 2
    del dropped
    gc.collect()
    assert len(carriage.readers) == 1
    closed.close()

    assert carriage.readers == []
    with pytest.raises(StopAsyncIteration):
        await anext(closed)
