"""One connection of a session alone: a real link and a real state, and no network."""

from typing import Any

import anyio
import pytest

from runner.connect.changes import Changes
from runner.errors import EndpointUnreachable, IllegalEvent, SessionRefused
from runner.protocol.effects import TurnEnded
from runner.protocol.state import SessionState
from runner.session.link import Link, NotSent
from runner.session.update import Update
from runner.settings.continuity import History
from tests.helpers.still_connection import StillConnection, still_link

pytestmark = pytest.mark.anyio

UPDATE = {"type": "session.update", "session": {"type": "realtime"}}
QUESTION = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}


async def unconfigured(connection: StillConnection) -> Link:
    """A link that nothing has come on yet."""
    link = Link(connection.as_websocket(), SessionState(), Changes(), lost=lambda _link: None, epoch=1)
    await link.pump.listen()
    return link


async def test_the_configuration_follows_the_greeting_and_is_waited_for() -> None:
    """The first `session.update` goes out only after `session.created`."""
    connection = StillConnection()
    link = await unconfigured(connection)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: link.configure(UPDATE, timeout_s=5))
        await anyio.wait_all_tasks_blocked()
        assert connection.sent == []
        connection.come({"type": "session.created", "session": {"id": "s"}})
        await anyio.wait_all_tasks_blocked()
        assert connection.sent_types() == ["session.update"]
        connection.come({"type": "session.updated", "session": {"id": "s"}})

    assert link.state.phase == "ready"


async def test_a_refused_configuration_is_raised() -> None:
    """The endpoint's own words, as an error of the profile."""
    connection = StillConnection()
    link = await unconfigured(connection)
    connection.come({"type": "session.created", "session": {"id": "s"}})

    async def refuse() -> None:
        await anyio.wait_all_tasks_blocked()
        error = {
            "type": "invalid_request_error",
            "message": "no such voice",
            "event_id": connection.sent[0]["event_id"],
        }
        connection.come({"type": "error", "error": error})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(refuse)
        with pytest.raises(SessionRefused, match="no such voice"):
            await link.configure(UPDATE, timeout_s=5)


@pytest.mark.parametrize("greeted", [False, True])
async def test_a_silent_endpoint_is_named_by_what_it_did_not_send(greeted: bool) -> None:
    """Neither the greeting nor the confirmation is waited for without end."""
    connection = StillConnection()
    link = await unconfigured(connection)
    if greeted:
        connection.come({"type": "session.created", "session": {"id": "s"}})

    with pytest.raises(EndpointUnreachable, match="session.updated" if greeted else "session.created"):
        await link.configure(UPDATE, timeout_s=0.05)


async def test_what_is_sent_is_noted_before_it_goes_out() -> None:
    """Several events go out together or not at all: where the state forbids one, none is sent."""
    connection = StillConnection()
    link = await still_link(connection)
    await link.send({"type": "conversation.item.create", "item": QUESTION}, {"type": "response.create"})

    with pytest.raises(IllegalEvent):
        await link.send({"type": "input_audio_buffer.clear"}, {"type": "response.create"})

    assert connection.sent_types() == ["conversation.item.create", "response.create"]
    assert link.state.requested_by == connection.sent[1]["event_id"]


async def test_the_end_is_reported_once_and_after_the_last_update() -> None:
    """Whoever is called with the link finds it over, and its readers have heard all there was."""
    connection, order = StillConnection(), list[str]()

    def lost(link: Link) -> None:
        order.append("lost" if link.pump.is_over else "too early")

    link = await still_link(connection, lost=lost)
    link.read_by([lambda update: order.extend(type(each).__name__ for each in update.effects)])
    item = {**QUESTION, "id": "item_1", "role": "assistant", "content": [{"type": "output_text", "text": "Hel"}]}
    connection.come({"type": "conversation.item.added", "item": item})
    connection.break_off()
    connection.break_off()

    assert order.count("lost") == 1
    assert order[-1] == "lost"
    with pytest.raises(NotSent):
        await link.send({"type": "input_audio_buffer.clear"})


async def test_readers_hear_of_the_turns_that_ended_before_they_read() -> None:
    """While a connection is prepared nobody reads it, and no end of a turn is missed for that."""
    connection, seen = StillConnection(), list[Update]()
    link = await still_link(connection)
    connection.come({"type": "conversation.item.done", "item": {**QUESTION, "id": "item_1"}})
    connection.come({"type": "input_audio_buffer.cleared"})

    link.read_by([seen.append])

    assert [each for update in seen for each in update.effects] == [TurnEnded("user", "Hello?", "item_1", "completed")]


async def test_a_muted_connection_reaches_no_reader() -> None:
    """Another one has taken its place."""
    connection, seen = StillConnection(), list[Update]()
    link = await still_link(connection)
    link.read_by([seen.append])
    link.mute()
    connection.come({"type": "input_audio_buffer.cleared"})

    assert seen == []


async def test_the_history_is_replayed_once_and_then_only_what_is_new() -> None:
    """What the connection knows already is not created again, and what has left the conversation is deleted."""
    connection = StillConnection()
    link = await still_link(connection)
    link.state.conversation.put({**QUESTION, "id": "item_1", "status": "completed"})

    async def confirm() -> None:
        await anyio.wait_all_tasks_blocked()
        connection.come({"type": "conversation.item.added", "item": connection.sent[-1]["item"]})

    async def prime() -> None:
        await link.prime(link.state.configuration.wanted, History(), timeout_s=5)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(confirm)
        await prime()
    await prime()
    assert connection.sent_types() == ["conversation.item.create"]
    assert link.replayed_items == 1

    link.state.conversation.remove("item_1")
    await prime()
    assert connection.sent_types() == ["conversation.item.create", "conversation.item.delete"]


class Record:
    """A recorder that keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def received(self, event: dict[str, Any], **_facts: Any) -> None:
        """Keep a server event."""
        self.kept.append(event)

    def sent(self, event: dict[str, Any], **_facts: Any) -> None:
        """Keep a client event."""
        self.kept.append(event)

    def note(self, event: dict[str, Any], **_facts: Any) -> None:
        """Keep a note."""
        self.kept.append(event)


async def test_a_recorder_gets_both_directions_and_audio_whole() -> None:
    """Also what no reader hears."""
    connection, record = StillConnection(), Record()
    link = await still_link(connection, recorder=record)
    await link.append_audio(b"\0\1")
    connection.come({"type": "input_audio_buffer.cleared"})

    assert [each["type"] for each in record.kept] == [
        "session.created",
        "session.updated",
        "input_audio_buffer.append",
        "input_audio_buffer.cleared",
    ]
    assert record.kept[2]["audio"] == "AAE="
