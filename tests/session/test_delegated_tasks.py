"""What a Live model delegates to the client, with a scripted endpoint."""

from typing import Any

import anyio
import pytest

from runner.protocol import voices
from runner.session import delegated_tasks
from runner.tools.tool_error import ToolError
from tests.helpers.endpoint_scripts import conversation, moved, reached, session_with
from tests.helpers.live_peer import close, start, words
from tests.helpers.peer import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

ASKED: list[Any] = []


async def do_task(delegation_id: str, transcript: list[dict[str, str]]) -> Any:
    """What the profile of these tests names."""
    ASKED.append(transcript)
    match delegation_id:
        case "known":
            return {"know": "The order is 7."}
        case "failed":
            raise ToolError("there is no such order")
        case "slow":
            await anyio.sleep(0.5)
    return {"say": "It was shipped.", "know": "On Monday."}


DELEGATE = {"run": {"kind": "python", "function": f"{__name__}:do_task"}, "progress_after_s": 0.3}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "PAUSE_S", 0.1)
    monkeypatch.setattr(delegated_tasks, "_SETTLE_S", 0.05)
    ASKED.clear()


def created(delegation_id: str) -> dict[str, Any]:
    """The model delegates a task."""
    delegation = {"id": delegation_id, "type": "delegation", "target": "client"}
    return {"type": "session.delegation.created", "event_id": "e", "delegation": delegation, "offset_ms": 0}


async def told(peer: Peer, *delegation_ids: str) -> list[tuple[str, str]]:
    """What the model is told of these tasks, until something is to be said or known of each."""
    found = []
    while (event := await peer.event()) is not None:
        if event.get("delegation_id") in delegation_ids:
            found.append((event["type"].removeprefix("session."), event["content"]))
            if event["content"] != "It is still being done." and not event["content"].startswith("On"):
                return found
    raise AssertionError(found)


async def test_every_task_is_answered_with_what_is_to_be_said_or_known() -> None:
    """Each gets what was said since the one before; who takes long is reported, and who fails is too."""
    found: list[list[tuple[str, str]]] = []

    async def script(peer: Peer) -> None:
        await start(peer)
        await peer.send(words("input", "Where is", 0, 300), created("slow"), words("input", " order 7?", 300, 900))
        found.append(await told(peer, "slow"))
        await peer.send(words("output", "It was shipped.", 2000, 2500), created("known"))
        found.append(await told(peer, "known"))
        await peer.send(created("failed"))
        found.append(await told(peer, "failed"))
        await close(peer)

    async with session_with(script, session={"type": "live"}, delegate=DELEGATE) as (session, _, _):
        await reached(lambda: len(found) == 3)
        await session.aclose()

    assert ASKED == [
        [{"role": "user", "text": "Where is order 7?"}],
        [{"role": "assistant", "text": "It was shipped."}],
        [],
    ]
    slow, known, failed = found
    assert slow[0] == ("thinking.append", "It is still being done.")
    assert slow[-2:] == [("thinking.append", "On Monday."), ("commentary.append", "It was shipped.")]
    assert known == [("thinking.append", "The order is 7.")]
    assert failed == [("commentary.append", "Say that it could not be done: there is no such order")]


async def test_a_task_that_outlives_its_session_is_answered_in_the_next() -> None:
    """It is done once; the next session learns what came of it as an instruction."""
    late: list[str] = []

    async def lost(peer: Peer) -> None:
        await start(peer)
        await peer.send(words("input", "Where is order 7?", 0, 300), created("slow"))
        await anyio.sleep(0.2)

    async def next_one(peer: Peer) -> None:
        await start(peer)
        while len(late) < 3:
            event = await peer.until("session.instructions.append")
            late.append(event["content"])
        await close(peer)

    async with session_with(lost, next_one, session={"type": "live"}, delegate=DELEGATE) as (session, _, _):
        await moved(session, 2)
        await reached(lambda: len(late) == 3)
        await session.aclose()
        assert conversation(session) == [("user", "Where is order 7?")]

    assert len(ASKED) == 1
    done = "What was asked for before the connection was lost is done: "
    assert late[1:] == [f"{done}On Monday.", f"{done}It was shipped."]
