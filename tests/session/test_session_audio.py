"""Audio through a session, as a program with a reader sends and gets it."""

import base64

import anyio
import pytest

from runner.protocol.effects import AudioDelta
from runner.session.opening import open_session
from runner.session.update import Update
from tests.helpers.peer import Peer, profile_for, serving

pytestmark = pytest.mark.anyio
PCM = bytes(range(256)) * 40


async def test_audio_goes_out_and_comes_back() -> None:
    """What is appended reaches the endpoint under an id of ours; what it says reaches the reader as PCM."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        said = await peer.until("input_audio_buffer.append")
        place = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
        await peer.send({"type": "response.output_audio.delta", **place, "delta": said["audio"]})
        await peer.to_the_end()

    heard: list[AudioDelta] = []
    came = anyio.Event()

    def read(update: Update) -> None:
        for effect in update.effects:
            if isinstance(effect, AudioDelta):
                heard.append(effect)
                came.set()

    async with serving(script) as (port, peers):
        async with open_session(profile_for(port), readers=[read]) as session:
            await session.append_audio(PCM)
            await came.wait()
        (append,) = (each for each in peers[0].received if each["type"] == "input_audio_buffer.append")

    assert append["event_id"].startswith("event_")
    assert [(each.response_id, each.item_id, each.audio) for each in heard] == [
        ("r", "i", base64.b64encode(PCM).decode())
    ]
    assert heard[0].decode() == PCM
