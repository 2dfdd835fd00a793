"""What a next connection is told: configuration, conversation, and what was said while there was none."""

import base64

import anyio
import pytest

from runner.api.client_events import InputAudioBufferAppend
from tests.helpers.endpoint_scripts import (
    PATIENCE_S,
    asked,
    attentive,
    confirm,
    conversation,
    kinds,
    logged,
    moved,
    own,
    reached,
    session_with,
    told,
)
from tests.helpers.peer import Peer

pytestmark = pytest.mark.anyio


async def until_lost(peer: Peer) -> None:
    """Greet, confirm everything, and end the connection at the first empty commit."""
    await peer.greet()
    await up_to_commit(peer)


async def up_to_commit(peer: Peer) -> None:
    """Confirm everything, answer what is asked, and end the connection at the first commit."""
    number = 0
    while (event := await peer.event()) is not None and event["type"] != "input_audio_buffer.commit":
        if event["type"] == "response.create":
            number += 1
            await peer.answer("answer ", str(number), response_id=f"resp_{number}", item_id=own(peer, number))
        else:
            await confirm(peer, event)


COMMIT = {"type": "input_audio_buffer.commit"}


def audio_of(peer: Peer) -> list[bytes]:
    """The audio that a connection received, piece by piece."""
    return [base64.b64decode(each["audio"]) for each in peer.received if each["type"] == "input_audio_buffer.append"]


class Gate:
    """Holds the second connection back until it is opened."""

    def __init__(self) -> None:
        self.opened = anyio.Event()

    async def script(self, peer: Peer) -> None:
        """An attentive endpoint that greets late."""
        await self.opened.wait()
        await attentive(peer)


async def test_audio_waits_for_the_next_connection_in_order() -> None:
    """Nobody who speaks ever waits; what is said first is heard first, whichever way it was sent."""
    gate = Gate()
    async with session_with(until_lost, gate.script) as (session, peers, _):
        await session.append_audio(b"zero")
        await session.send(COMMIT)
        await reached(lambda: session.link is None)
        encoded = {name: base64.b64encode(name.encode()).decode() for name in ("two!", "thre")}
        with anyio.fail_after(PATIENCE_S / 2):
            await session.append_audio(b"one!")
            await session.send({"type": "input_audio_buffer.append", "audio": encoded["two!"]})
            await session.send(InputAudioBufferAppend(type="input_audio_buffer.append", audio=encoded["thre"]))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.say, "Hello?")
            await anyio.wait_all_tasks_blocked()
            gate.opened.set()
        await session.append_audio(b"four")
        await session.wait_answered()

    assert audio_of(peers[1]) == [b"one!", b"two!", b"thre", b"four"]
    assert told(peers[1]) == [("user", "Hello?")]


async def test_audio_that_is_too_old_is_dropped_and_reported() -> None:
    """What was said long ago would only confuse."""
    gate = Gate()
    async with session_with(until_lost, gate.script, reconnect={"max_audio_age_s": 0.3}) as (session, peers, lines):
        await session.send(COMMIT)
        await reached(lambda: session.link is None)
        await session.append_audio(b"old!")
        await anyio.sleep(0.4)
        await session.append_audio(b"new")
        gate.opened.set()
        await moved(session, 2)
        await session.append_audio(b"last")
        await session.say("Hello?")
        await session.wait_answered()
        assert [each["audio_dropped_bytes"] for each in logged(lines, "session_resumed")] == [4]

    assert audio_of(peers[1]) == [b"new", b"last"]


async def test_a_changed_configuration_is_replayed_and_a_refused_one_is_not() -> None:
    """The next connection begins where the last one was."""

    async def first(peer: Peer) -> None:
        await peer.greet()
        await confirm(peer, await peer.until("session.update"))
        refused = await peer.until("session.update")
        error = {"type": "invalid_request_error", "message": "no", "event_id": refused["event_id"]}
        await peer.send({"type": "error", "error": error})
        await asked(peer)

    async with session_with(first, attentive, session={"instructions": "A"}) as (session, peers, _):
        await session.update(instructions="B", max_output_tokens=100)
        await session.update(instructions="C", tool_choice="nonsense")
        await session.say("Hello?")
        await session.wait_answered()

    wanted = {"type": "realtime", "instructions": "B", "max_output_tokens": 100}
    assert [each["session"] for each in peers[1].received if each["type"] == "session.update"] == [wanted]


async def test_an_update_that_was_never_confirmed_is_reported() -> None:
    """It comes after the configuration that is known to be good, so that a refusal costs nothing else."""

    async def first(peer: Peer) -> None:
        await peer.greet()
        await peer.until("session.update")

    async with session_with(first, attentive, session={"instructions": "A"}) as (session, peers, _):
        await session.update(instructions="B")
        await moved(session, 2)
        await session.say("Hello?")
        await session.wait_answered()

    updates = [each["session"]["instructions"] for each in peers[1].received if each["type"] == "session.update"]
    assert updates == ["A", "B"]


async def test_deleted_items_are_not_replayed_and_functions_are() -> None:
    """A call goes with its output, and what the user took back stays away."""

    async def first(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        call = {"id": "call_item", "type": "function_call", "call_id": "c1", "name": "clock", "arguments": "{}"}
        await peer.send({"type": "response.created", "response": {"id": "resp_1"}})
        await peer.send(
            {"type": "response.output_item.added", "response_id": "resp_1", "item": {**call, "arguments": ""}}
        )
        done = {"id": "resp_1", "status": "completed", "output": [{**call, "status": "completed"}]}
        await peer.send({"type": "response.done", "response": done})
        await up_to_commit(peer)

    async with session_with(first, attentive) as (session, peers, _):
        await session.say("What time is it?")
        await session.wait_answered()
        output = {"type": "function_call_output", "call_id": "c1", "output": "noon"}
        await session.send({"type": "conversation.item.create", "item": output})
        await session.say("Thanks.")
        await session.wait_answered()
        question = session.state.conversation.items[0].id
        await session.send({"type": "conversation.item.delete", "item_id": question})
        await session.send(COMMIT)
        await moved(session, 2)
        await session.say("Again?")
        await session.wait_answered()

    items = [each["item"] for each in peers[1].received if each["type"] == "conversation.item.create"]
    assert [each["type"] for each in items] == [
        "function_call",
        "function_call_output",
        "message",
        "message",
        "message",
    ]
    assert (items[0]["name"], items[0]["arguments"], items[1]["output"]) == ("clock", "{}", "noon")
    assert [text for _, text in told(peers[1])] == ["Thanks.", "answer 1", "Again?"]


@pytest.mark.parametrize("is_renamed", [False, True])
async def test_truncated_audio_is_replayed_as_it_was_heard(is_renamed: bool) -> None:
    """However often it is told: it does not get shorter with each connection."""

    async def first(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        ids = {"response_id": "r", "item_id": "spoken", "output_index": 0, "content_index": 0}
        await peer.send({"type": "response.created", "response": {"id": "r"}})
        await peer.send({"type": "response.output_audio_transcript.delta", "delta": "one two three four", **ids})
        await peer.send(
            {"type": "response.output_audio.delta", "delta": base64.b64encode(bytes(48000)).decode(), **ids}
        )
        content = [{"type": "output_audio", "transcript": "one two three four"}]
        item = {"id": "spoken", "type": "message", "role": "assistant", "status": "completed", "content": content}
        await peer.send({"type": "response.done", "response": {"id": "r", "status": "completed", "output": [item]}})
        truncation = await peer.until("conversation.item.truncate")
        await peer.send({**truncation, "type": "conversation.item.truncated"})

    async def later(peer: Peer) -> None:
        await peer.greet()
        number = 0
        while (event := await peer.event()) is not None and event["type"] != "input_audio_buffer.commit":
            number += 1
            await confirm(peer, event, item_id=f"srv_{id(peer)}_{number}" if is_renamed else "")

    async with session_with(first, later) as (session, peers, _):
        await session.say("Count.")
        await session.wait_answered()
        cut = {"type": "conversation.item.truncate", "item_id": "spoken", "content_index": 0, "audio_end_ms": 500}
        await session.send(cut)
        for epoch in (2, 3):
            await moved(session, epoch)
            await session.send(COMMIT)
        await moved(session, 4)
        assert conversation(session) == [("user", "Count."), ("assistant", "one two")]

    for peer in peers[1:]:
        assert told(peer) == [("user", "Count."), ("assistant", "one two")]


async def test_a_transcription_gets_no_history() -> None:
    """There is no conversation in such a session, but its changed configuration goes on."""

    async def first(peer: Peer) -> None:
        await peer.greet()
        transcript = {"item_id": "i", "content_index": 0, "transcript": "hello"}
        item = {"id": "i", "type": "message", "role": "user", "content": []}
        await peer.send({"type": "conversation.item.added", "item": item})
        await peer.send({"type": "conversation.item.input_audio_transcription.completed", **transcript})
        await up_to_commit(peer)

    async with session_with(first, attentive, session={"type": "transcription"}) as (session, peers, _):
        while not session.state.conversation.items:
            await session.changes.next()
        await session.send(COMMIT)
        await moved(session, 2)
        await session.append_audio(b"more")
        await session.wait_idle()

    assert kinds(peers[1]) == ["session.update", "input_audio_buffer.append"]
