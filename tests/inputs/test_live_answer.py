"""The audio of the user in a Live session: muted without a gap, and answered once it has ended."""

import base64

import pytest

from runner.errors import ProtocolError
from runner.inputs.input_switch import InputSwitch
from runner.inputs.pacing import Pace
from runner.inputs.sender import Sender
from runner.protocol import voices
from tests.helpers.endpoint_scripts import session_with
from tests.helpers.live_peer import close, start, words
from tests.helpers.peer import Peer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

SAID, UNHEARD = b"\x01\x10" * 2400, b"\x02\x10" * 2400


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "PAUSE_S", 0.1)


@pytest.mark.parametrize(
    ("pieces", "loss"),
    [
        ([words("input", "Hello", 0, 100), words("output", "Hi", 300, 400)], ""),
        ([words("input", "Hello", 0, 100)], "what was said last in talk.wav was not answered"),
        ([words("output", "Good day", 0, 100)], "the endpoint has heard nobody in talk.wav"),
    ],
)
async def test_what_was_said_is_to_be_answered(pieces: list[dict[str, object]], loss: str) -> None:
    """A muted input sends nothing of what it hears; and its end waits for the answer, or says that there is none."""
    heard: list[object] = []

    async def script(peer: Peer) -> None:
        await start(peer)
        while (event := await peer.event()) is not None:
            if event["type"] == "session.input_audio.append":
                audio = base64.b64decode(event["audio"])
                if audio in (SAID, UNHEARD):
                    heard.append(audio)
                    await peer.send(*pieces)
                    break
            else:
                heard.append(event["type"])
        await close(peer)

    async with session_with(script, session={"type": "live"}) as (session, _, _):
        switch = InputSwitch(can_mute=True)
        async with Sender(session, rate=24_000, switch=switch) as sender:
            switch.mute()
            await sender.send_samples(UNHEARD)
            switch.unmute()
            await sender.send_samples(SAID)
            await sender.end(Pace(), trailing_silence_ms=100, name="talk.wav", hearing_timeout_s=0.5)
        await session.aclose()

    assert heard == ["session.input_audio.mute", "session.input_audio.unmute", SAID]
    assert (str(session.first_unanswered), type(session.first_unanswered)) == (loss, ProtocolError) or not loss
    assert bool(session.first_unanswered) is bool(loss)
