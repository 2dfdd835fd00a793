"""Silence, failed responses and drift: what a session makes of an endpoint that is there and does not serve."""

import time
from typing import Any

import anyio
import pytest

from runner.errors import EndpointBusy, ProtocolError, SessionRefused
from runner.session import stall
from tests.helpers.endpoint_scripts import (
    answering,
    asked,
    attentive,
    conversation,
    half,
    kinds,
    logged,
    own,
    session_with,
)
from tests.helpers.peer import Peer

pytestmark = pytest.mark.anyio


async def silent(peer: Peer) -> None:
    """Begin an answer and say nothing more, but answer pings."""
    await peer.greet()
    await asked(peer)
    await peer.answer("one mom", item_id=own(peer, 1), end=False)
    await peer.to_the_end()


async def test_silence_in_the_middle_of_an_answer_is_a_loss() -> None:
    """The peer is alive, its answer is not."""
    async with session_with(silent, attentive, stall_timeout_s=0.8) as (session, peers, lines):
        await session.say("Hello?")
        await session.wait_answered()
        assert [text for _, text in conversation(session)] == ["Hello?", "answer 1"]
        assert "nothing came of a pending answer for 0.8 s" in logged(lines, "connection_lost")[0]["error"]
        await anyio.sleep(1.2)
        assert len(peers) == 2


async def test_heartbeats_are_no_answer() -> None:
    """A gateway that is alive, before an endpoint that is not, is found out as silence is."""

    async def beating(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.answer("one mom", item_id=own(peer, 1), end=False)
        while True:
            await peer.send({"type": "heartbeat"}, {"type": "rate_limits.updated", "rate_limits": []})
            await anyio.sleep(0.02)

    async with session_with(beating, attentive, stall_timeout_s=0.5) as (session, _, lines):
        await session.say("Hello?")
        await session.wait_answered()
        assert [text for _, text in conversation(session)] == ["Hello?", "answer 1"]
        assert "nothing came of a pending answer for 0.5 s" in logged(lines, "connection_lost")[0]["error"]


@pytest.mark.parametrize("begins_first", [True, False])
async def test_a_question_that_another_response_has_overtaken_is_answered_after_it(begins_first: bool) -> None:
    """The endpoint began one of its own, such as for somebody who spoke, and refuses the request for ours."""

    async def speaking_first(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        refused = {"type": "x", "code": "conversation_already_has_active_response", "message": "no", "event_id": None}
        events = [
            {"type": "response.created", "response": {"id": "resp_own"}},
            {"type": "error", "error": refused},
        ]
        await peer.send(*(events if begins_first else events[::-1]))
        await peer.end("something else", response_id="resp_own", item_id="item_own")
        await answering(peer)

    reconnect = {"initial_delay_s": 0.01}
    async with session_with(speaking_first, reconnect=reconnect) as (session, peers, lines):
        assert await session.ask("What is the time?") == "answer 1"
        assert kinds(peers[0]).count("response.create") == 2
        assert session.first_unanswered is None
        assert logged(lines, "response_overtaken")


async def test_a_refusal_that_may_be_the_items_is_taken_for_the_requests_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no response has come for a while; the connection lives, and the next question is answered."""

    async def unnamed(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.send({"type": "error", "error": {"type": "x", "message": "not that"}})
        await answering(peer)

    monkeypatch.setattr(stall, "DOUBT_S", 0.2)
    async with session_with(unnamed) as (session, peers, _):
        with pytest.raises(ProtocolError, match="not that"):
            await session.ask("one")
        assert await session.ask("two") == "answer 1"
        assert len(peers) == 1
        assert isinstance(session.first_unanswered, ProtocolError)


async def test_a_peer_that_answers_no_ping_is_a_loss() -> None:
    """An open socket is no sign of life."""

    async def dead(peer: Peer) -> None:
        await peer.greet()
        await anyio.sleep_forever()

    network = {"ping_interval_s": 0.2, "ping_timeout_s": 0.2}
    async with session_with(dead, attentive, network=network) as (session, _, lines):
        await session.say("Hello?")
        await session.wait_answered()
        assert "did not answer a ping" in logged(lines, "connection_lost")[0]["error"]


def failing(code: str, *, times: int) -> Any:
    """A script whose first responses fail with this code."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        for number in range(times):
            await asked(peer)
            error = {"code": code, "message": "not now"}
            done = {"id": f"bad_{number}", "status": "failed", "status_details": {"error": error}, "output": []}
            await peer.send({"type": "response.created", "response": {"id": f"bad_{number}"}})
            await peer.send({"type": "response.done", "response": done})
        await answering(peer)

    return script


@pytest.mark.parametrize("code", ["server_error", "rate_limit_exceeded"])
async def test_a_response_that_failed_for_now_is_asked_for_again(code: str) -> None:
    """As often as the profile allows, and then the failure is told."""
    async with session_with(failing(code, times=2)) as (session, peers, _):
        await session.say("Hello?")
        await session.wait_answered()
        assert session.first_unanswered is None
        assert conversation(session)[-1] == ("assistant", "answer 1")
        assert kinds(peers[0]).count("response.create") == 3
        assert len(peers) == 1

    async with session_with(failing(code, times=3)) as (session, peers, _):
        await session.say("Hello?")
        await session.wait_answered()
        assert isinstance(session.first_unanswered, EndpointBusy)
        assert kinds(peers[0]).count("response.create") == 3


async def test_a_response_that_failed_for_good_is_not_repeated() -> None:
    """What would fail again is the caller's to decide."""
    async with session_with(failing("content_filter", times=1)) as (session, peers, _):
        await session.say("Hello?")
        await session.wait_answered()
        assert isinstance(session.first_unanswered, ProtocolError)
        assert kinds(peers[0]).count("response.create") == 1


async def test_a_used_up_limit_delays_the_next_question() -> None:
    """A question that would be refused waits until the limit is reset."""

    async def limited(peer: Peer) -> None:
        await peer.greet()
        limit = {"name": "requests", "limit": 10, "remaining": 0, "reset_seconds": 0.6}
        await peer.send({"type": "rate_limits.updated", "rate_limits": [limit]})
        await answering(peer)

    async with session_with(limited) as (session, _, lines):
        while not logged(lines, "rate_limit_crossed"):
            await session.changes.next()
        started_s = time.monotonic()
        await session.say("Hello?")
        assert time.monotonic() - started_s >= 0.4
        await session.wait_answered()


@pytest.mark.parametrize("on_drift", ["warn", "fail", "ignore"])
async def test_drift_is_reported_once_or_refused(on_drift: str) -> None:
    """The endpoint's configuration is compared on every connection, and the same drift is told once."""

    async def drifting(peer: Peer) -> None:
        session = {"type": "realtime", "id": "s", "instructions": "mine"}
        await peer.send({"type": "session.created", "session": session})
        await peer.until("session.update")
        await peer.send({"type": "session.updated", "session": session})

    async def first(peer: Peer) -> None:
        await drifting(peer)
        await (peer.to_the_end() if on_drift == "fail" else asked(peer))

    async def second(peer: Peer) -> None:
        await drifting(peer)
        await answering(peer)

    run: dict[str, Any] = {"on_drift": on_drift, "session": {"instructions": "yours"}}
    if on_drift == "fail":
        with pytest.raises(SessionRefused, match="instructions"):
            async with session_with(first, second, **run):
                pass
        return
    async with session_with(first, second, **run) as (session, _, lines):
        await session.say("Hello?")
        await session.wait_answered()
        assert len(logged(lines, "configuration_drifted")) == (1 if on_drift == "warn" else 0)


async def test_halves_given_up_stay_in_the_conversation() -> None:
    """Where nobody asks again, what was heard was said."""
    async with session_with(half, attentive, max_response_retries=0) as (session, _, _):
        await session.say("Hello?")
        await session.wait_answered()
        assert [text for _, text in conversation(session)] == ["Hello?", "a half answ"]
