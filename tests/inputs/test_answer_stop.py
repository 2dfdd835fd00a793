"""An answer is stopped at the user's command."""

import anyio
import anyio.lowlevel
import pytest

from runner.inputs.answer_stop import AnswerStop
from tests.helpers.hearing_peers import PlayedAnswers, others, session_with
from tests.helpers.peer import Peer

pytestmark = pytest.mark.anyio


async def slow(peer: Peer) -> None:
    """Begin an answer, and end it when it is cancelled."""
    await peer.greet()
    await peer.until("response.create")
    await peer.answer("a long", end=False)
    await peer.until("response.cancel")
    await peer.end("a long", status="cancelled")
    await peer.to_the_end()


async def test_an_answer_is_stopped_once() -> None:
    """A second Ctrl-C in the same answer is free to end the run; without an answer there is nothing to stop."""
    async with session_with(slow) as (session, peers):
        stop = AnswerStop(session, None)
        possible = [stop.is_possible]
        await session.respond()
        possible.append(stop.is_possible)
        await stop.stop()
        possible.append(stop.is_possible)
        await session.wait_answered()
        stop.renew()
        possible.append(stop.is_possible)

    assert possible == [False, True, False, False]
    assert others(peers[0]) == ["response.create", "response.cancel"]


async def test_an_answer_that_is_heard_is_silenced_at_once_and_again_when_it_has_begun() -> None:
    """What plays it cancels the response, since it knows how much was heard; nothing is cancelled twice."""
    played, beginning = PlayedAnswers(), anyio.Event()

    async def late(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await beginning.wait()
        await peer.answer("late")
        await peer.to_the_end()

    async with session_with(late) as (session, peers):
        stop = AnswerStop(session, played)
        await session.respond()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop.stop)
            while not played.interrupted:
                await anyio.lowlevel.checkpoint()
            interrupted = played.interrupted
            beginning.set()
        await session.wait_answered()

    assert (interrupted, played.interrupted) == (1, 2)
    assert others(peers[0]) == ["response.create"]


async def test_the_end_of_the_session_ends_the_stop() -> None:
    """There is nothing left to cancel, and no error."""

    async def gone(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")

    async with session_with(gone) as (session, _):
        await session.respond()
        await AnswerStop(session, None).stop()


async def test_a_turn_that_waits_for_a_tool_is_stopped_too() -> None:
    """Nothing is heard and no response is in flight, and yet the user waits."""
    played, is_running = PlayedAnswers(), anyio.Event()
    item = {"id": "item_1", "type": "function_call", "call_id": "call_1", "name": "slow", "arguments": "{}"}

    async def calling(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.send({"type": "response.created", "response": {"id": "resp_1", "conversation_id": "c"}})
        done = {"id": "resp_1", "status": "completed", "output": [{**item, "status": "completed"}]}
        await peer.send({"type": "response.done", "response": done})
        await peer.to_the_end()

    async with session_with(calling) as (session, peers):

        @session.tool
        async def slow() -> None:
            is_running.set()
            await anyio.sleep_forever()

        stop = AnswerStop(session, played)
        await session.respond()
        await is_running.wait()
        possible = stop.is_possible
        await stop.stop()
        await session.wait_answered()

    assert possible
    assert others(peers[0]).count("response.create") == 1
