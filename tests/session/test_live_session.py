"""A Live session with a scripted endpoint: steady audio, turns, what is typed, losses and rollovers."""

import asyncio
import base64
import time
from typing import Any

import anyio
import pytest

from runner.errors import EndpointUnreachable, IllegalEvent, ProtocolError, SessionRefused
from runner.profile import make_profile
from runner.protocol import voices
from runner.session.opening import open_session
from tests.helpers.endpoint_scripts import PATIENCE_S, conversation, kinds, logged, moved, reached, session_with
from tests.helpers.live_peer import SILENT, close, closed, confirmed, sound, start, words
from tests.helpers.peer import Peer

pytestmark = pytest.mark.anyio

LIVE = {"type": "live", "instructions": "Be brief.", "audio": {"output": {"voice": "willow"}}}
QUESTION = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Two and two?"}]}
ANSWER = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Four."}]}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "PAUSE_S", 0.1)


async def answer(peer: Peer, *pieces: str, start_ms: int = 0) -> None:
    """Confirm what was typed, and answer it aloud."""
    question = await peer.until("session.instructions.append")
    await peer.send(confirmed(question), sound())
    for number, piece in enumerate(pieces):
        at_ms = start_ms + 50 * number
        await peer.send(words("output", piece, at_ms, at_ms + 50))


async def test_a_conversation_from_its_start_to_its_end() -> None:
    """What was asked for starts it, silence flows, what is typed is answered aloud, and the end is asked for."""
    asked = {}

    async def script(peer: Peer) -> None:
        asked.update(await start(peer))
        await peer.send(sound(SILENT))
        await peer.send(confirmed(await peer.until("session.instructions.append")))
        await peer.until("session.input_audio.append")
        await peer.send(sound(), words("output", " Four", 0, 50), words("output", ".", 50, 100))
        await peer.send({"type": "session.usage.updated", "event_id": "e", "usage": {"seconds": 10}})
        await close(peer, seconds=12.5)

    async with session_with(script, session=LIVE) as (session, peers, _):
        assert await session.ask("Two and two?") == "Four."
        assert conversation(session) == [("user", "Two and two?"), ("assistant", "Four.")]
        with pytest.raises(IllegalEvent, match="a Live session has no such event"):
            await session.send({"type": "input_audio_buffer.commit"})
        await session.aclose()
        assert session.usage.live_s == 12.5

    assert asked == {"model": "test", "instructions": "Be brief.", "audio": {"output": {"voice": "willow"}}}
    assert "session.input_audio.append" in kinds(peers[0])
    assert kinds(peers[0])[-1] == "session.close"
    assert session.failure is None


async def test_a_lost_session_goes_on_with_the_conversation() -> None:
    """Another one starts with what was said; what was not answered is asked for again, and not what the user heard."""
    asked: dict[str, Any] = {}

    async def lost(peer: Peer) -> None:
        await start(peer)
        await answer(peer, "Four.")
        await peer.until("session.instructions.append")
        await peer.send(words("output", "The half of", 2000, 22_000))

    async def next_one(peer: Peer) -> None:
        asked.update(await start(peer))
        again = await peer.until("session.instructions.append")
        assert again["content"].endswith("answered. Answer them aloud now.\n\nAnd then?")
        await peer.send(confirmed(again), words("output", "All of it.", 100, 200))
        await close(peer)

    async with session_with(lost, next_one, session=LIVE) as (session, _, _):
        assert await session.ask("Two and two?") == "Four."
        assert await session.ask("And then?") == "All of it."
        said = [("user", "Two and two?"), ("assistant", "Four."), ("user", "And then?"), ("assistant", "All of it.")]
        assert conversation(session) == said

    and_then = {**QUESTION, "content": [{"type": "input_text", "text": "And then?"}]}
    assert asked["input"] == [QUESTION, ANSWER, and_then]
    assert asked["instructions"] == "Be brief."


async def test_a_session_moves_on_before_it_expires() -> None:
    """The next one starts with the history, is told silently of what is said meanwhile, and the old one is closed."""
    meanwhile: list[str] = []
    is_asked, is_heard, ends = anyio.Event(), anyio.Event(), list[str]()

    async def expiring(peer: Peer) -> None:
        await start(peer, expires_at=int(time.time()) + 4)
        await answer(peer, "Four.")
        await is_asked.wait()
        # It goes on speaking, so that the next session has to wait.
        await peer.send(words("output", "More.", 5000, 5500))
        await close(peer, seconds=3)
        ends.append("closed in order")

    async def fresh(peer: Peer) -> None:
        asked = await peer.until("session.start")
        assert asked["session"]["input"] == [QUESTION, ANSWER]
        is_asked.set()
        await is_heard.wait()
        await peer.send({"type": "session.started", "session": {"id": "live_2", **asked["session"]}})
        meanwhile.append((await peer.until("session.thinking.append"))["content"])
        await answer(peer, "Five.")
        await close(peer, seconds=1)

    async with session_with(expiring, fresh, session=LIVE) as (session, _, lines):
        assert await session.ask("Two and two?") == "Four."
        while not session.state.is_pending:
            await session.changes.next()
        is_heard.set()
        await moved(session, 2)
        assert await session.ask("Two and three?") == "Five."
        await session.aclose()

    assert meanwhile == ["Meanwhile this was said in the conversation:\nYou: More.\n"]
    assert ends == ["closed in order"]
    assert session.usage.live_s == 4
    assert [each["event"] for each in lines if each["event"] in {"connection_lost", "session_moved"}] == [
        "session_moved"
    ]


async def test_what_is_typed_and_not_answered_is_a_loss() -> None:
    """The model need not answer; the session goes on, and the run learns of it."""

    async def script(peer: Peer) -> None:
        await start(peer)
        await peer.send(confirmed(await peer.until("session.instructions.append")))
        await close(peer)

    async with session_with(script, session=LIVE, stall_timeout_s=1) as (session, _, _):
        with pytest.raises(ProtocolError, match="nothing came of a pending answer for 1 s"):
            await session.ask("Hello?")
        assert session.link is not None
        assert isinstance(session.first_unanswered, ProtocolError)


@pytest.mark.parametrize(
    ("reason", "error"),
    [("content", SessionRefused), ("remote_hangup", EndpointUnreachable), ("", EndpointUnreachable)],
)
async def test_a_session_that_the_endpoint_closes_has_failed(reason: str, error: type[Exception]) -> None:
    """Only an end that was asked for is one; what was being said is in the transcript, as far as it came."""

    async def script(peer: Peer) -> None:
        await start(peer)
        await peer.send(words("input", "Hel", 0, 100))
        await closed(peer, reason=reason)
        await peer.to_the_end()

    async with session_with(script, session=LIVE, reconnect={"max_attempts": 0}) as (session, _, _):
        await session.wait_over()
        assert isinstance(session.failure, error)
        assert reason in str(session.failure)
        assert conversation(session) == [("user", "Hel")]


async def test_refused_settings_end_it_with_the_endpoints_words() -> None:
    """The error names the client event in a field of its own."""

    async def script(peer: Peer) -> None:
        asked = await peer.until("session.start")
        error = {"type": "invalid_request_error", "code": "unknown_parameter", "message": "Unknown: voice"}
        await peer.send({"type": "error", "error": {**error, "client_event_id": asked["event_id"]}})
        await peer.to_the_end()

    with pytest.raises(SessionRefused, match="Unknown: voice"):
        async with session_with(script, session=LIVE):
            pass


async def test_audio_is_steady_and_not_ahead_of_its_time() -> None:
    """Near-silence that is none flows from the beginning; what comes too fast waits, and is sent in order."""
    audio: list[bytes] = []

    async def script(peer: Peer) -> None:
        await start(peer)
        while (event := await peer.event()) is not None:
            if event["type"] == "session.close":
                await closed(peer)
            elif event["type"] == "session.input_audio.append":
                audio.append(base64.b64decode(event["audio"]))

    async with session_with(script, session=LIVE) as (session, _, lines):
        await session.wait_idle()
        await reached(lambda: len(audio) >= 2)
        began_s = anyio.current_time()
        for number in range(1, 6):
            await session.append_audio(bytes([number]) * 4800)
        assert anyio.current_time() - began_s > 0.1
        await session.aclose()

    noise, spoken = audio[0], [each for each in audio if len(set(each)) == 1]
    assert len(noise) == 4800
    assert max(memoryview(noise).cast("h")) <= 4
    assert any(noise)
    assert [each[0] for each in spoken] == [1, 2, 3, 4, 5]
    assert not logged(lines, "last_words_missing")


async def test_the_local_endpoint_answers_and_delegates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one: what is typed, a function of the program, and the end in order."""
    monkeypatch.setattr(voices, "PAUSE_S", 1.0)  # between its words, as it speaks them
    script = [
        {"match": "order", "reply": "One moment.", "calls": [{"name": "order"}]},
        {"output": "(.+)", "reply": "\\1"},
    ]
    profile = make_profile(
        endpoint={"kind": "local", "script": script},
        session={"type": "live", "delegation": {"type": "responses", "responses": {"model": "gpt-5.2"}}},
    )
    with anyio.fail_after(PATIENCE_S):
        async with open_session(profile) as session:

            @session.tool
            def order() -> str:
                """Say where it is."""
                return "It was shipped."

            answer = await session.ask("Where is my order?")
            assert answer.replace("\n", " ") == "One moment. It was shipped."  # two lines where words are late
            assert await session.ask("Hello") == "You said: Hello"
            await session.aclose()
            assert session.usage.live_s > 0
            assert session.usage.output_tokens > 0


def test_a_program_that_begins_with_asyncio_run_has_a_session_too() -> None:
    """Its event loop calls back without a task, in which nothing else would know the loop's clock."""

    async def script(peer: Peer) -> None:
        await start(peer)
        await answer(peer, "Four.")
        await close(peer)

    async def talk() -> str:
        async with session_with(script, session=LIVE, idle={"after_s": 60, "texts": ["?"]}) as (session, _, _):
            return await session.ask("Two and two?")

    assert asyncio.run(talk()) == "Four."
