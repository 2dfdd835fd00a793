"""What goes out of a session, on a still connection."""

from typing import Any

import anyio
import pytest

from runner.errors import IllegalEvent
from runner.session.carriage import Carriage
from runner.session.outbox import Outbox
from tests.helpers.still_connection import StillConnection, still_link

pytestmark = pytest.mark.anyio

CLEAR = {"type": "input_audio_buffer.clear"}
RESPOND = {"type": "response.create"}
APPEND = {"type": "input_audio_buffer.append", "audio": "AAAA"}


async def carried(connection: StillConnection) -> tuple[Carriage, Outbox]:
    """A session on this connection, and what goes out of it."""
    carriage = Carriage(anyio.current_time())
    carriage.carry(await still_link(connection, carriage.changes))
    return carriage, Outbox(carriage, max_audio_age_s=60)


async def test_events_wait_for_a_connection() -> None:
    """In the order in which they were given."""
    connection = StillConnection()
    carriage = Carriage(anyio.current_time())
    outbox = Outbox(carriage, max_audio_age_s=60)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outbox.send, CLEAR)
        await anyio.wait_all_tasks_blocked()
        carriage.carry(await still_link(connection, carriage.changes))

    assert connection.sent_types() == [CLEAR["type"]]


async def test_audio_that_waits_goes_first() -> None:
    """An event that is given later goes out after it, on whatever connection."""
    connection = StillConnection()
    carriage = Carriage(anyio.current_time())
    outbox = Outbox(carriage, max_audio_age_s=60)
    await outbox.append_audio(b"\0\0")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outbox.send, CLEAR)
        await anyio.wait_all_tasks_blocked()
        carriage.carry(await still_link(connection, carriage.changes))
        await anyio.wait_all_tasks_blocked()
        assert connection.sent == []
        assert await outbox.flush() == 0

    assert connection.sent_types() == [APPEND["type"], CLEAR["type"]]


async def test_audio_without_a_connection_leaves_time_for_one() -> None:
    """A program that does nothing but append does not starve the event loop."""
    carriage = Carriage(anyio.current_time())
    outbox, other = Outbox(carriage, max_audio_age_s=60), 0

    async def count() -> None:
        nonlocal other
        while True:
            await anyio.lowlevel.checkpoint()
            other += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        for _ in range(50):
            await outbox.append_audio(b"\0\0")
        tasks.cancel_scope.cancel()

    assert other > 25


async def test_a_question_waits_until_the_one_before_is_answered() -> None:
    """And while the connection is about to be replaced."""
    connection = StillConnection()
    carriage, outbox = await carried(connection)
    link = carriage.link
    assert link
    await outbox.ask(RESPOND)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(outbox.ask, RESPOND)
        await anyio.wait_all_tasks_blocked()
        carriage.hold(link, is_held=True)
        connection.come({"type": "response.created", "response": {"id": "r", "conversation_id": "c"}})
        connection.come({"type": "response.done", "response": {"id": "r", "status": "completed", "output": []}})
        await anyio.wait_all_tasks_blocked()
        assert connection.sent_types() == ["response.create"]
        carriage.hold(link, is_held=False)

    assert connection.sent_types() == ["response.create"] * 2


async def test_a_drained_session_takes_no_question_not_even_one_that_waits() -> None:
    """Whoever waits for a turn is refused at once."""
    connection = StillConnection()
    _, outbox = await carried(connection)
    await outbox.ask(RESPOND)
    refused: list[bool] = []

    async def ask() -> None:
        with pytest.raises(IllegalEvent, match="drained"):
            await outbox.ask(RESPOND)
        refused.append(True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        outbox.drain()

    assert refused == [True]
    await outbox.send(CLEAR)


@pytest.mark.parametrize("event", [APPEND, {**APPEND, "event_id": "mine"}])
async def test_every_way_of_appending_is_read(event: dict[str, Any]) -> None:
    """An input reader hears the same audio, with a connection and without."""
    connection, heard = StillConnection(), list[bytes]()
    carriage, outbox = await carried(connection)
    outbox.read_input(lambda audio: heard.append(bytes(audio)))
    await outbox.send(event)
    await outbox.append_audio(b"\0\0\0")
    carriage.lose(anyio.current_time())
    await outbox.send(event)
    await outbox.append_audio(b"\0\0\0")

    assert heard == [b"\0\0\0"] * 4
