"""Moving a session to a fresh connection before the old one ends."""

import itertools
import time
from typing import Any

import anyio
import pytest
from websockets.http11 import Request, Response

from runner.errors import EndpointUnreachable
from runner.protocol.effects import TurnEnded
from runner.session.opening import open_session
from runner.session.session import Session
from runner.session.update import Update
from runner.settings.profile import Profile
from tests.helpers.endpoint_scripts import (
    PATIENCE_S,
    answering,
    asked,
    attentive,
    confirm,
    kinds,
    logged,
    moved,
    own,
    reached,
    session_with,
    told,
)
from tests.helpers.peer import Peer, refusal

pytestmark = pytest.mark.anyio

BRIEF: dict[str, Any] = {"rollover": {"max_age_s": 2.0}}
"""A quiet moment is looked for after 1 s, no turn begins after 1.5 s, and 1.75 s are the last moment."""


async def test_an_expiring_connection_is_replaced_beside_it() -> None:
    """The next one is told everything first; the old one gets a proper farewell and is not heard any more."""

    async def expiring(peer: Peer) -> None:
        session = {"type": "realtime", "id": "sess_1", "expires_at": int(time.time()) + 3}
        await peer.send({"type": "session.created", "session": session})
        update = await peer.until("session.update")
        await peer.send({"type": "session.updated", "session": {**session, **update["session"]}})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(chatter, peer)
            await answering(peer)
            tasks.cancel_scope.cancel()

    async def chatter(peer: Peer) -> None:
        while peer.close_code is None:
            await peer.send({"type": "news"})
            await anyio.sleep(0.001)

    heard: list[int] = []

    def read(update: Update) -> None:
        if update.event and update.event["type"] == "news" and sessions:
            heard.append(sessions[0].link.epoch if sessions[0].link else 0)

    sessions: list[Session] = []
    async with session_with(expiring, attentive, readers=[read]) as (session, peers, lines):
        sessions.append(session)
        await session.say("Hello?")
        await session.wait_answered()
        await moved(session, 2)
        assert session.id == "sess_1"
        await peers[0].closed.wait()
        assert peers[0].close_code == 1000
        await session.say("Again?")
        await session.wait_answered()
        assert [text for _, text in told(peers[1])] == ["Hello?", "answer 1", "Again?"]
        assert not logged(lines, "connection_lost")
        (line,) = logged(lines, "session_moved")
        assert (line["epoch"], line["items"]) == (2, 2)
        assert set(heard) == {1}


async def test_an_answer_ends_on_the_connection_that_began_it() -> None:
    """The session moves at the first quiet moment, and each turn is told once."""

    async def slow(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.answer("long ", item_id=own(peer, 1), end=False)
        await reached(lambda: len(logged(lines, "connection_opened")) == 2)
        await peer.end("long story", item_id=own(peer, 1))
        await peer.to_the_end()

    async with session_with(slow, attentive, **BRIEF) as (session, peers, lines):
        await session.say("Tell me.")
        await session.wait_answered()
        assert "response.create" not in kinds(peers[1])
        await session.say("More?")
        await session.wait_answered()
        assert [text for _, text in told(peers[1])] == ["Tell me.", "long story", "More?"]
        assert not logged(lines, "rollover_forced")
    assert peers[0].close_code == 1000


async def test_an_answer_that_does_not_end_is_asked_for_again_at_the_last_moment() -> None:
    """Before the endpoint ends the connection in the middle of it, we do."""

    async def endless(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.answer("and so ", item_id=own(peer, 1), end=False)
        await peer.to_the_end()

    async with session_with(endless, attentive, rollover={"max_age_s": 0.8}) as (session, peers, lines):
        await session.say("Tell me.")
        await session.wait_answered()
        assert [item.text for item in session.state.conversation.items] == ["Tell me.", "answer 1"]
        assert told(peers[1]) == [("user", "Tell me.")]
        assert kinds(peers[1]).count("response.create") == 1
        assert len(logged(lines, "rollover_forced")) == 1
        await peers[0].closed.wait()
        assert peers[0].close_code == 1000


async def test_a_successor_that_dies_is_replaced_and_hurts_nobody() -> None:
    """The answer that the old connection is giving stays whole, and attempts are not made without pause."""

    async def slow(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.answer("long ", item_id=own(peer, 1), end=False)
        await anyio.sleep(1.3)
        await peer.end("long story", item_id=own(peer, 1))
        await peer.to_the_end()

    async def dying(peer: Peer) -> None:
        await peer.greet()
        while (event := await peer.event()) is not None and event["type"] != "conversation.item.create":
            pass
        item = {**event["item"], "status": "completed"} if event else {}
        await peer.send({"type": "conversation.item.added", "item": item})
        await anyio.sleep(0.05)

    turns: list[tuple[str, str]] = []

    def read(update: Update) -> None:
        turns.extend((each.text, each.status) for each in update.effects if isinstance(each, TurnEnded))

    async with session_with(slow, dying, attentive, readers=[read], **BRIEF) as (session, peers, _):
        await session.say("Tell me.")
        await session.wait_answered()
        await session.say("More?")
        await session.wait_answered()
        assert turns == [(text, "completed") for text in ("Tell me.", "long story", "More?", "answer 1")]
        assert len(peers) == 3

    reconnect = {"max_attempts": 2, "initial_delay_s": 0.01}
    async with session_with(slow, dying, rollover={"max_age_s": 2.0}, reconnect=reconnect) as (session, peers, lines):
        await session.say("Tell me.")
        await session.wait_answered()
        await reached(lambda: logged(lines, "rollover_failed"))
        assert len(peers) == 4
        assert not session.is_over


async def test_a_refused_successor_leaves_the_old_connection_serving() -> None:
    """What stands in the way counts only once the old connection is gone."""
    numbers = itertools.count(1)

    def door(_request: Request) -> Response | None:
        return None if next(numbers) == 1 else refusal(403)

    async def until_third(peer: Peer) -> None:
        await peer.greet()
        for number in range(2):
            await asked(peer)
            await peer.answer(f"answer {number}", response_id=f"r{number}", item_id=own(peer, number))
        await asked(peer)

    async with session_with(until_third, door=door, **BRIEF) as (session, peers, lines):
        await session.say("1?")
        await session.wait_answered()
        await reached(lambda: logged(lines, "rollover_failed"))
        await anyio.sleep(1)
        await session.say("2?")
        await session.wait_answered()
        assert len(peers) == 1
        await session.say("3?")
        await session.wait_over()
        assert session.failure is not None
        assert session.failure.exit_code == 77


async def test_what_is_changed_meanwhile_reaches_the_successor() -> None:
    """A configuration and a deletion that came after it was told."""

    async def slow(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.answer("long ", item_id=own(peer, 1), end=False)
        await reached(lambda: len(peers) == 2 and "conversation.item.create" in kinds(peers[1]))
        await session.update(instructions="B")
        first = session.state.conversation.items[0].id
        await session.send({"type": "conversation.item.delete", "item_id": first})
        for kind in ("session.update", "conversation.item.delete"):
            event = await peer.until(kind)
            reply = {"type": "session.updated", "session": event.get("session")}
            gone = {"type": "conversation.item.deleted", "item_id": event.get("item_id")}
            await peer.send(reply if kind == "session.update" else gone)
        await peer.end("long story", item_id=own(peer, 1))
        await peer.to_the_end()

    async with session_with(slow, attentive, session={"instructions": "A"}, rollover={"max_age_s": 4.0}) as (
        session,
        peers,
        _,
    ):
        await session.say("Tell me.")
        await moved(session, 2)
        updates = [each["session"]["instructions"] for each in peers[1].received if each["type"] == "session.update"]
        assert updates == ["A", "B"]
        assert kinds(peers[1])[2:] == ["session.update", "conversation.item.delete", "conversation.item.create"]


async def test_the_local_endpoint_is_left_before_its_limit() -> None:
    """Sessions of two seconds carry a conversation of several."""
    endpoint = {"kind": "local", "session_limit_s": 3, "delta_interval_ms": 5}
    profile = Profile.model_validate(
        {"version": 1, "endpoint": endpoint, "model": {"name": "m"}, "session": {"output_modalities": ["text"]}}
    )
    with anyio.fail_after(PATIENCE_S):
        async with open_session(profile) as session:
            started_s = anyio.current_time()
            questions = 0
            while session.link is None or session.link.epoch < 3 or anyio.current_time() < started_s + 4:
                questions += 1
                await session.say(f"question {questions}")
                await session.wait_answered()
                await anyio.sleep(0.2)
            assert not isinstance(session.failure, EndpointUnreachable)
            assert len(session.state.conversation) == 2 * questions
            assert session.first_unanswered is None


async def test_what_is_said_while_the_history_is_replayed_is_not_lost() -> None:
    """Turn detection may answer on the old connection at any moment: it is heard, and told to the next one as well."""
    telling = [anyio.Event(), anyio.Event()]
    turns: list[str] = []

    async def talkative(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.answer("first", item_id=own(peer, 0))
        for number, told_of in enumerate(telling, 1):
            await told_of.wait()
            await peer.answer(f"unasked {number}", response_id=f"resp_vad_{number}", item_id=own(peer, number))
        await peer.to_the_end()

    async def hesitant(peer: Peer) -> None:
        await peer.greet()
        for told_of in telling:
            event = await peer.until("conversation.item.create")
            told_of.set()
            await anyio.sleep(0.2)
            await confirm(peer, event)
        await answering(peer)

    def read(update: Update) -> None:
        turns.extend(each.text for each in update.effects if isinstance(each, TurnEnded) and each.role == "assistant")

    async with session_with(talkative, hesitant, readers=[read], rollover={"max_age_s": 3.0}) as (
        session,
        peers,
        lines,
    ):
        await session.say("Hello?")
        await session.wait_answered()
        await moved(session, 2)
        assert turns == ["first", "unasked 1", "unasked 2"]
        assert [text for _, text in told(peers[1])] == ["Hello?", "first", "unasked 1", "unasked 2"]
        assert not logged(lines, "rollover_forced")
    assert peers[0].close_code == 1000


async def test_a_transcription_moves_without_its_history() -> None:
    """Such a session takes no items, so there is nothing that the next connection could lack."""

    async def dictated(peer: Peer) -> None:
        await peer.greet()
        item = {"id": "item_1", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
        await peer.send({"type": "conversation.item.added", "item": item})
        heard = {"item_id": "item_1", "content_index": 0, "transcript": "Good morning."}
        await peer.send({"type": "conversation.item.input_audio_transcription.completed", **heard})
        await peer.to_the_end()

    table = {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    async with session_with(dictated, attentive, session=table, rollover={"max_age_s": 1.0}) as (session, peers, lines):
        await moved(session, 2)
        assert told(peers[1]) == []
        assert not logged(lines, "rollover_forced")
    assert peers[0].close_code == 1000
