"""Where a session is: the transitions, and those that there are not."""

import anyio
import pytest

from runner.errors import AccessRefused, EndpointUnreachable, IllegalEvent
from runner.protocol.effects import SessionEnded
from runner.session.carriage import Between, Carriage, Carried, Leaving, Over, Place
from runner.session.update import Update
from tests.helpers.still_connection import StillConnection, still_link

pytestmark = pytest.mark.anyio


async def test_a_session_begins_between_connections_and_is_carried_by_one() -> None:
    """Its id is that of the first, and its epoch that of the last."""
    carriage = Carriage(7.0)
    places: list[Place] = [carriage.place]
    first, second = await still_link(StillConnection()), await still_link(StillConnection(), epoch=2)

    assert carriage.carry(first)
    carriage.lose(8.0)
    places.append(carriage.place)
    assert carriage.carry(second)

    assert [*places, carriage.place] == [Between(7.0), Between(8.0), Carried(second)]
    assert (carriage.id, carriage.epoch) == ("sess_1", 2)


async def test_no_connection_carries_a_session_that_is_being_closed_or_over() -> None:
    """What was opened in vain is not taken, and the end stays the end."""
    first, second = await still_link(StillConnection()), await still_link(StillConnection(), epoch=2)
    carriage = Carriage(0.0)
    carriage.carry(first)
    assert carriage.leave() is first

    carriage.lose(1.0)
    assert not carriage.carry(second)
    assert isinstance(carriage.place, Leaving)
    carriage.end()
    assert not carriage.carry(second)
    carriage.lose(2.0)

    assert isinstance(carriage.place, Over)
    assert not carriage.is_carried_by(first)


async def test_the_first_end_counts_and_is_announced_once() -> None:
    """Whatever ends the session a second time."""
    seen: list[Update] = []
    carriage, error = Carriage(0.0, [seen.append]), AccessRefused("no")
    carriage.end(error)
    carriage.end(EndpointUnreachable("gone"))
    carriage.end()

    assert carriage.failure is error
    assert [effect for update in seen for effect in update.effects] == [SessionEnded()]
    with pytest.raises(AccessRefused):
        carriage.check()


async def test_a_session_that_the_client_has_ended_is_closed_to_all() -> None:
    """Without a failure of its own."""
    carriage = Carriage(0.0)
    carriage.check()
    carriage.end()

    assert carriage.failure is None
    with pytest.raises(IllegalEvent, match="closed"):
        carriage.check()


async def test_only_the_connection_that_carries_it_can_be_held() -> None:
    """New turns wait on it; after a loss nothing is held."""
    first = await still_link(StillConnection())
    carriage = Carriage(0.0)
    held: list[bool] = []
    for step in (lambda: None, lambda: carriage.carry(first)):
        step()
        carriage.hold(first, is_held=True)
        held.append(carriage.is_held)
    carriage.lose(1.0)

    assert [*held, carriage.is_held] == [False, True, False]


async def test_readers_come_and_go_while_the_session_lives() -> None:
    """Also one that a reader adds or removes while it reads."""
    connection, seen = StillConnection(), list[str]()
    carriage = Carriage(0.0)
    carriage.carry(await still_link(connection))

    def once(_update: Update) -> None:
        seen.append("once")
        carriage.remove_reader(once)

    carriage.add_reader(once)
    carriage.add_reader(lambda _update: seen.append("always"))
    for _ in range(2):
        connection.come({"type": "input_audio_buffer.cleared"})

    assert seen == ["once", "always", "always"]


async def test_whoever_waits_is_woken_by_every_transition() -> None:
    """Being carried, held, lost, closed, and ended."""
    link = await still_link(StillConnection())
    carriage, places = Carriage(0.0), list[str]()

    async def watch() -> None:
        while not carriage.is_over:
            await carriage.changes.next()
            places.append(type(carriage.place).__name__ + (" held" if carriage.is_held else ""))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        for step in (
            lambda: carriage.carry(link),
            lambda: carriage.hold(link, is_held=True),
            lambda: carriage.lose(1.0),
            carriage.leave,
            carriage.end,
        ):
            await anyio.wait_all_tasks_blocked()
            step()

    assert places == ["Carried", "Carried held", "Between", "Leaving", "Over"]
