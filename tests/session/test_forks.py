"""A stored Live session goes on by a fork of itself after a loss and at a rollover, and by its history without."""

import base64
import time
from functools import partial
from typing import Any

import anyio
import pytest
from websockets.http11 import Request, Response

from runner.protocol import voices
from tests.helpers.endpoint_scripts import conversation, logged, moved, session_with
from tests.helpers.live_peer import close, closed, confirmed, start, words
from tests.helpers.peer import Peer, refusal

pytestmark = pytest.mark.anyio

STORED = {"type": "live", "store": True, "audio": {"format": {"type": "audio/pcm", "rate": 16000}}}
NEW, FORK_1, FORK_2 = "/v1/live/sessions", "/v1/live/sessions/live_1/fork", "/v1/live/sessions/live_2/fork"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "PAUSE_S", 0.1)


class Door:
    """Sees the addresses of all connections, and answers each fork with what comes next; None lets it in."""

    def __init__(self, *answers: Response | Exception | None) -> None:
        self.paths: list[str] = []
        self._answers = list(answers)

    def __call__(self, request: Request) -> Response | None:
        """Answer one handshake."""
        self.paths.append(request.path)
        answer = self._answers.pop(0) if request.path.endswith("/fork") and self._answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


async def answered(peer: Peer, text: str, *, at_ms: int = 0, takes_ms: int = 50) -> None:
    """Answer what is typed next."""
    typed = await peer.until("session.instructions.append")
    await peer.send(confirmed(typed), words("output", text, at_ms, at_ms + takes_ms))


async def lost(peer: Peer, **session: Any) -> None:
    """Answer one question, and half of another one."""
    await start(peer, session_id="live_1", **session)
    await answered(peer, "Four.")
    await answered(peer, "The half of", at_ms=3000, takes_ms=20_000)


async def test_it_is_forked_after_a_loss_and_at_a_rollover() -> None:
    """Nothing is told again, last words count, audio waits for the fork, and each half is asked for anew."""
    door, is_closing, is_waiting, audio = Door(), anyio.Event(), anyio.Event(), bytearray()
    asked: list[dict[str, Any]] = []

    async def expiring(peer: Peer) -> None:
        asked.append(await start(peer, session_id="live_2", store=True, model="test", expires_at=int(time.time()) + 4))
        await answered(peer, "All of it.")
        await peer.until("session.close")
        is_closing.set()
        await is_waiting.wait()
        await peer.send(words("input", "One more thing", 9000, 9500))
        await closed(peer, seconds=2)
        await peer.to_the_end()

    async def last(peer: Peer) -> None:
        asked.append(await start(peer, session_id="live_3", store=True, model="test"))
        while len(audio) < 320:
            audio.extend(base64.b64decode((await peer.until("session.input_audio.append"))["audio"]))
        again = await peer.until("session.instructions.append")
        assert again["content"].endswith("\n\nOne more thing")
        await peer.send(confirmed(again), words("output", "Of course.", 0, 50))
        await answered(peer, "Five.", at_ms=3000)
        await close(peer, seconds=1)

    young = {"max_audio_age_s": 0.001}
    async with session_with(lost, expiring, last, door=door, session=STORED, reconnect=young) as (
        session,
        peers,
        lines,
    ):
        assert await session.ask("Two and two?") == "Four."
        assert await session.ask("And then?") == "All of it."
        await is_closing.wait()
        await session.append_audio(b"\1" * 320)
        is_waiting.set()
        await moved(session, 3)
        await session.wait_answered()
        assert await session.ask("Two and three?") == "Five."
        assert [text for _, text in conversation(session)] == [
            *("Two and two?", "Four.", "And then?", "All of it."),
            *("One more thing", "Of course.", "Two and three?", "Five."),
        ]
        await session.aclose()
        assert session.usage.live_s >= 3

    assert door.paths == [NEW, FORK_1, FORK_2]
    assert asked == [{"audio": STORED["audio"]}] * 2
    assert not any(each["type"] == "session.thinking.append" for peer in peers for each in peer.received)
    assert audio[:320] == b"\1" * 320
    (resumed,), (after,) = logged(lines, "session_resumed"), logged(lines, "session_moved")
    assert (resumed["forked"], resumed["items"], after["forked"], after["items"]) == ("live_1", 0, "live_2", 0)
    assert not logged(lines, "fork_refused")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    ("answers", "paths"),
    [
        ([refusal(409, "session_not_closed")], [NEW, FORK_1, NEW]),
        ([refusal(503)], [NEW, FORK_1, NEW]),
        ([None], [NEW, FORK_1, NEW]),
        ([anyio.EndOfStream(), None], [NEW, FORK_1, FORK_1, NEW]),
        ([anyio.EndOfStream()], [NEW, FORK_1, NEW]),
    ],
    ids=["refused", "busy", "refused at its start", "unreachable at first", "broken off each time"],
)
async def test_where_a_fork_is_refused_history_takes_its_place(answers: list[Any], paths: list[str]) -> None:
    """It is asked for once, whatever the endpoint answers; a network that is away has refused nothing.

    A refusal costs none of the attempts that are allowed, which are as few here as they can be.
    """
    door, few = Door(*answers), {"max_attempts": len(paths) - 2}

    async def next_one(peer: Peer) -> None:
        if None in answers and door.paths[-1] == FORK_1:
            asked = await peer.until("session.start")
            error = {"type": "invalid_request_error", "code": "cannot_fork", "message": "Not this one."}
            await peer.send({"type": "error", "error": {**error, "client_event_id": asked["event_id"]}})
            return
        told.append([each["content"][0]["text"] for each in (await start(peer, session_id="live_2"))["input"]])
        await answered(peer, "All of it.")
        await close(peer)

    told: list[list[str]] = []
    async with session_with(lost, next_one, door=door, session=STORED, reconnect=few) as (session, _, lines):
        assert await session.ask("Two and two?") == "Four."
        assert await session.ask("And then?") == "All of it."
        await session.aclose()

    assert door.paths == paths
    assert told == [["Two and two?", "Four.", "And then?"]]
    (refused,) = logged(lines, "fork_refused")
    assert refused["endpoint_session_id"] == "live_1"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_is_not_stored_is_not_forked() -> None:
    """What counts is what the endpoint grants."""
    door = Door()

    async def next_one(peer: Peer) -> None:
        await start(peer, session_id="live_2")
        await answered(peer, "All of it.")
        await close(peer)

    async with session_with(partial(lost, store=False), next_one, door=door, session=STORED) as (session, _, _):
        assert await session.ask("Two and two?") == "Four."
        assert await session.ask("And then?") == "All of it."
    assert door.paths == [NEW, NEW]
