"""A session whose connection is lost, against an endpoint on a real socket."""

import anyio
import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from runner.errors import AccessRefused, EndpointBusy, EndpointUnreachable, ProtocolError, RunnerError, SessionRefused
from runner.session.opening import open_session
from tests.helpers.endpoint_scripts import (
    PATIENCE_S,
    asked,
    attentive,
    conversation,
    half,
    kinds,
    logged,
    own,
    persistent,
    session_with,
    told,
)
from tests.helpers.peer import Peer, refusal, serving

pytestmark = pytest.mark.anyio


async def test_a_question_survives_the_loss_of_its_connection() -> None:
    """The next connection gets configuration, history and the question, and nobody notices but the log."""

    async def first(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.answer("one", response_id="resp_a", item_id="item_a", usage={"input_tokens": 5, "output_tokens": 1})
        await asked(peer)
        await peer.answer("tw", response_id="resp_b", item_id="item_b", end=False)

    async def second(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.answer("two", response_id="resp_c", item_id="item_c", usage={"input_tokens": 7, "output_tokens": 2})
        await peer.to_the_end()

    async with session_with(first, second, session={"instructions": "Count."}) as (session, peers, lines):
        session_id, events = session.id, session.events()
        await session.say("1?")
        await session.wait_answered()
        await session.respond(instructions="Be brief.")
        await session.wait_answered()

        assert session.id == session_id
        assert conversation(session) == [("user", "1?"), ("assistant", "one"), ("assistant", "two")]
        assert (session.usage.input_tokens, session.usage.output_tokens) == (12, 3)
        assert session.first_unanswered is None
        deltas = []
        async for event in events:
            if event["type"] == "response.output_text.delta":
                deltas.append(event["delta"])
            if event["type"] == "response.done" and event["response"]["id"] == "resp_c":
                break
        assert deltas == ["one", "tw", "two"]

    assert kinds(peers[1]) == ["session.update", *["conversation.item.create"] * 2, "response.create"]
    assert peers[1].received[0]["session"] == {"type": "realtime", "instructions": "Count."}
    assert told(peers[1]) == [("user", "1?"), ("assistant", "one")]
    assert peers[1].received[-1]["response"] == {"instructions": "Be brief."}
    (lost,), (resumed,) = logged(lines, "connection_lost"), logged(lines, "session_resumed")
    assert (lost["epoch"], lost["recovery"]) == (1, "temporary")
    assert (resumed["epoch"], resumed["items"]) == (2, 2)
    assert [each["failures"] for each in logged(lines, "response_retried")] == [1]


async def test_a_response_in_flight_is_dropped_where_the_profile_says_so() -> None:
    """The half answer counts as what was heard, and nobody waits for the rest."""
    async with session_with(half, attentive, reconnect={"response_in_flight": "drop"}) as (session, peers, lines):
        await session.say("Hello?")
        await session.wait_answered()
        assert isinstance(session.first_unanswered, EndpointUnreachable)
        assert len(logged(lines, "response_given_up")) == 1
        await session.say("Again?")
        await session.wait_answered()
        assert [text for _, text in conversation(session)] == ["Hello?", "a half answ", "Again?", "answer 1"]

    assert told(peers[1]) == [("user", "Hello?"), ("assistant", "a half answ"), ("user", "Again?")]
    assert kinds(peers[1]).count("response.create") == 1


async def test_what_is_lost_too_often_is_given_up() -> None:
    """A question that costs every connection is not asked for ever, and the session goes on without it."""
    async with session_with(half, half, half, attentive, max_response_retries=2) as (session, peers, _):
        await session.say("Hello?")
        await session.wait_answered()
        assert isinstance(session.first_unanswered, EndpointUnreachable)
        await session.say("Again?")
        await session.wait_answered()
        assert len(peers) == 4
        assert kinds(peers[3]).count("response.create") == 1


@pytest.mark.parametrize("is_renamed", [False, True])
@pytest.mark.parametrize("losses", [1, 2])
async def test_a_question_that_was_never_confirmed_is_asked_once(losses: int, is_renamed: bool) -> None:
    """It is neither lost nor doubled, also where the endpoint gives items ids of its own."""

    async def deaf(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")

    async def renaming(peer: Peer) -> None:
        await peer.greet()
        item = (await peer.until("conversation.item.create"))["item"]
        item_id = f"srv_{id(peer)}" if is_renamed else item["id"]
        await peer.send({"type": "conversation.item.added", "item": {**item, "id": item_id}})
        await peer.until("response.create")

    async def last(peer: Peer) -> None:
        await renaming(peer)
        await peer.answer("yes", item_id=own(peer, 1))
        await peer.to_the_end()

    async with session_with(deaf, *[renaming] * (losses - 1), last) as (session, peers, _):
        await session.say("Hello?")
        await session.wait_answered()
        assert conversation(session) == [("user", "Hello?"), ("assistant", "yes")]

    for peer in peers:
        assert kinds(peer) == ["session.update", "conversation.item.create", "response.create"]
        assert told(peer) == [("user", "Hello?")]


@pytest.mark.parametrize(
    ("status", "error"), [(403, AccessRefused), (404, SessionRefused), (400, SessionRefused), (401, AccessRefused)]
)
async def test_a_refused_handshake_is_not_repeated(status: int, error: type[RunnerError]) -> None:
    """What a second attempt would be told too ends the first."""
    knocks = []

    def door(_request: Request) -> Response:
        knocks.append(status)
        return refusal(status)

    with pytest.raises(error) as caught:
        async with session_with(attentive, door=door):
            pass
    assert caught.value.status == status
    assert len(knocks) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "Mon, 01 Jan 99999999999 00:00:00 GMT"},
        {"Date": "Mon, 01 Jan 2024 00:00:00 +99999999"},
        {"Content-Encoding": "gzip"},
        {"Location": "http://xn--a/"},
    ],
)
async def test_an_odd_refusal_in_mid_life_is_one_failed_attempt(headers: dict[str, str]) -> None:
    """A proxy's header that makes no sense does not end a session that has answered."""
    knocks = []

    def door(_request: Request) -> Response | None:
        knocks.append(headers)
        if len(knocks) != 2:
            return None
        fields = Headers({**headers, "Content-Length": "30000", "Connection": "close"})
        return Response(503, "No", fields, b"[" * 30_000)

    async with session_with(half, attentive, door=door) as (session, _, lines):
        await session.say("Hello?")
        await session.wait_answered()

        assert [text for role, text in conversation(session) if role == "assistant"] == ["answer 1"]
        assert [each["status"] for each in logged(lines, "connection_failed")] == [503]

    assert len(knocks) == 3


@pytest.mark.parametrize(
    ("message", "code", "error"),
    [
        ("404: {'error': 'no such model'}", None, SessionRefused),
        ("no such model", "404", SessionRefused),
        ("HTTP 401: no", "", AccessRefused),
    ],
)
async def test_a_status_instead_of_a_greeting_is_not_asked_for_again(
    message: str, code: str | None, error: type[RunnerError]
) -> None:
    """LiteLLM's way to say that it has no such model: it accepts, and refuses by an event."""

    async def script(peer: Peer) -> None:
        await peer.send({"type": "error", "error": {"type": "server_error", "code": code, "message": message}})
        await peer.close(1011, "Internal server error")

    with pytest.raises(error) as caught:
        async with session_with(script):
            pass
    assert message in caught.value.message


@pytest.mark.parametrize("message", ["429: later", "503: later", "busy"])
async def test_what_passes_instead_of_a_greeting_is_asked_for_again(message: str) -> None:
    """A gateway that is busy says so in the same way."""

    async def script(peer: Peer) -> None:
        await peer.send({"type": "error", "error": {"type": "server_error", "message": message}})
        await peer.close(1011, "Internal server error")

    async with session_with(script, attentive) as (session, peers, _):
        await session.say("Hello?")
        await session.wait_answered()
        assert len(peers) == 2


@pytest.mark.parametrize(
    ("code", "reason"),
    [(4001, "Unauthorized"), (4003, ""), (4401, ""), (4403, "Forbidden"), (1008, "Invalid API key"), (3000, "")],
)
async def test_a_close_that_refuses_access_is_the_end(code: int, reason: str) -> None:
    """Gateways that look at the key only after the handshake."""
    knocks = []

    async def script(peer: Peer) -> None:
        knocks.append(code)
        await peer.close(code, reason)

    with pytest.raises(AccessRefused) as caught:
        async with session_with(script):
            pass
    assert (caught.value.exit_code, len(knocks)) == (77, 1)


QUOTA = {"type": "insufficient_quota", "code": "insufficient_quota", "message": "no money"}


@pytest.mark.parametrize(
    ("end", "error"), [("error", AccessRefused), (3000, AccessRefused), (4000, ProtocolError), (1008, ProtocolError)]
)
async def test_an_end_that_would_come_again_ends_the_session(end: str | int, error: type[RunnerError]) -> None:
    """The first connection is the last one, unless the profile knows better, and even then not for ever."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await anyio.sleep(0.1)
        if isinstance(end, int):
            await peer.close(end, "go away")
        else:
            await peer.send({"type": "error", "error": QUOTA})
        await peer.to_the_end()

    async with session_with(script) as (session, peers, _):
        await session.wait_over()
        assert type(session.failure) is error
        with pytest.raises(error):
            await session.wait_answered()
        assert len(peers) == 1

    sign = "insufficient_quota" if end == "error" else str(end)
    async with session_with(script, reconnect={"classify": {sign: "temporary"}, "max_attempts": 3}) as (
        session,
        peers,
        _,
    ):
        await session.wait_over()
        assert type(session.failure) is error
        assert len(peers) == 4


async def test_a_response_that_fails_for_lack_of_quota_ends_the_session() -> None:
    """Hosted endpoints let everybody connect, and say only then that nothing is left."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        done = {"id": "r", "status": "failed", "status_details": {"error": QUOTA}, "output": []}
        await peer.send({"type": "response.created", "response": {"id": "r"}})
        await peer.send({"type": "response.done", "response": done})
        await peer.to_the_end()

    async with session_with(script) as (session, peers, _):
        await session.say("Hello?")
        await session.wait_over()
        assert isinstance(session.failure, AccessRefused)
        assert len(peers) == 1


async def test_connections_that_die_at_once_are_no_success() -> None:
    """Only a connection that has lived for a while ends a row of failures."""

    async def brief(peer: Peer) -> None:
        await peer.greet()
        await anyio.sleep(0.1)

    async with session_with(brief, reconnect={"max_attempts": 3, "stable_s": 30}) as (session, peers, _):
        await session.wait_over()
        assert isinstance(session.failure, EndpointUnreachable)
        assert len(peers) == 4

    async with session_with(brief, reconnect={"max_attempts": 1, "stable_s": 0.05}) as (session, peers, _):
        while len(peers) < 6:
            await session.changes.next()
        assert not session.is_over


async def test_a_lost_first_connection_is_tried_again() -> None:
    """Opening a session is as persistent as keeping it, and says so in the log."""
    waits = iter([refusal(503), refusal(429), None])
    async with session_with(attentive, door=lambda _request: next(waits)) as (session, _, lines):
        await session.say("Hello?")
        await session.wait_answered()
        assert [each["status"] for each in logged(lines, "connection_failed")] == [503, 429]


@pytest.mark.parametrize("status", [429, 503])
async def test_the_endpoint_says_when_to_come_back(status: int) -> None:
    """`Retry-After` is waited for."""
    answers = iter([refusal(status, Retry_After="1"), None])
    started_s = anyio.current_time()
    async with session_with(attentive, door=lambda _request: next(answers)) as (_, _, lines):
        assert anyio.current_time() - started_s >= 1
        assert logged(lines, "connection_failed")[0]["retry_in_s"] >= 1


async def test_nobody_listening_is_given_up_after_the_last_attempt() -> None:
    """A port without a server is tried as often as allowed."""
    async with serving(attentive) as (port, _):
        pass
    with pytest.raises(EndpointUnreachable), anyio.fail_after(PATIENCE_S):
        async with open_session(persistent(port, reconnect={"max_attempts": 3})):
            pass


async def test_an_expired_session_goes_on_at_once() -> None:
    """The end that was due is no failure to wait after."""

    async def expiring(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.send({"type": "error", "error": {"type": "x", "code": "session_expired", "message": "time is up"}})
        await peer.close(1001, "time is up")
        await peer.to_the_end()

    delays = {"initial_delay_s": 60, "max_delay_s": 60}
    async with session_with(expiring, attentive, reconnect=delays) as (session, peers, lines):
        await session.say("Hello?")
        await session.wait_answered()
        assert logged(lines, "connection_lost")[0]["recovery"] == "expired"
        assert len(peers) == 2
        assert not isinstance(session.first_unanswered, EndpointBusy)
