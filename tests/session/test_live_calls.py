"""How a call begins and ends in a Live session, with a scripted endpoint."""

from typing import Any

import pytest

from runner.protocol import voices
from tests.helpers.endpoint_scripts import conversation, kinds, session_with
from tests.helpers.live_peer import close, confirmed, start, words
from tests.helpers.peer import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "PAUSE_S", 0.1)


@pytest.mark.parametrize(
    ("greeting", "kind", "content"),
    [
        ({"text": "Good day.", "interruptible": False}, "session.commentary.append", "Good day."),
        ({"prompt": "Greet."}, "session.instructions.append", "Speak first, now, as follows.\n\nGreet."),
    ],
)
async def test_a_call_from_greeting_to_good_bye(greeting: dict[str, Any], kind: str, content: str) -> None:
    """The model is given what it says; who is not to interrupt is not heard meanwhile; silence ends the call."""
    said = []

    async def script(peer: Peer) -> None:
        await start(peer)
        for number in range(3):
            event = await peer.until(kind if number == 0 else "session.commentary.append")
            said.append(event["content"])
            await peer.send(confirmed(event), words("output", f"Said {number}.", number * 1000, number * 1000 + 100))
        await close(peer)

    idle = {"after_s": 1, "texts": ["Are you there?"], "goodbye": "Goodbye."}
    async with session_with(script, session={"type": "live"}, greeting=greeting, idle=idle) as (session, peers, _):
        await session.wait_over()

    assert said == [content, "Are you there?", "Goodbye."]
    assert conversation(session) == [("assistant", f"Said {number}.") for number in range(3)]
    muted = [each.removeprefix("session.input_audio.") for each in kinds(peers[0]) if each.endswith("mute")]
    assert muted == (["mute", "unmute"] if "interruptible" in greeting else [])
