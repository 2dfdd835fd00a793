"""The agent speaks first: once, whole where it must be, and at the time that the profile says."""

import json
import wave
from array import array
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.errors import InputError
from runner.protocol.word_for_word import recital
from runner.session.opening import open_session
from runner.session.own_request import is_own
from tests.helpers.endpoint_scripts import (
    answering,
    asked,
    attentive,
    confirm,
    conversation,
    half,
    logged,
    moved,
    own,
    persistent,
    reached,
    session_with,
)
from tests.helpers.peer import Peer
from tests.helpers.spoken_session import RATE, barge_in, heard, ramp, sent, speak, transcript, wav
from tests.helpers.virtual_time import Backend, virtual_time

pytestmark = pytest.mark.anyio
WELCOME = "Hello Ada, this is Contoso."
VAD = {"type": "server_vad", "threshold": 0.4}


@pytest.fixture(params=["trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Backend:
    """Virtual time on trio; real time on asyncio for the first test."""
    return virtual_time(request.param)


def detections(peer: Peer) -> list[dict[str, Any]]:
    """How turn detection was asked for, after the first configuration."""
    return [each["session"]["audio"]["input"]["turn_detection"] for each in sent(peer, "session.update")[1:]]


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"], indirect=True)
async def test_the_greeting_is_said_before_anything_else_and_once() -> None:
    """A question waits for its end; what was said otherwise is logged, and a new connection does not say it again."""

    async def first(peer: Peer) -> None:
        await peer.greet()
        greeting = await asked(peer)
        assert is_own(greeting["event_id"])
        assert greeting["response"] == {"instructions": recital(WELCOME), "tool_choice": "none"}
        await peer.answer("Hello Ada, this is ", "Fabrikam.", response_id="resp_g", item_id="item_g")
        await asked(peer)
        await peer.answer("answer 0", item_id="item_0")

    greeting = {"text": WELCOME}
    async with session_with(first, attentive, greeting=greeting) as (session, peers, lines):
        assert await session.ask("Hi") == "answer 0"
        await moved(session, 2)
        assert await session.ask("And?") == "answer 1"
        assert conversation(session)[0] == ("assistant", "Hello Ada, this is Fabrikam.")
    assert [each["other_words"] for each in logged(lines, "greeting_drifted")] == [1]
    assert not [each for each in sent(peers[1], "response.create") if is_own(each["event_id"])]


async def test_a_greeting_that_is_lost_in_its_middle_is_said_on_the_next_connection() -> None:
    """As any other answer, and before the first question."""
    async with session_with(half, attentive, greeting={"prompt": "Greet."}, session={"instructions": "Be brief."}) as (
        session,
        peers,
        lines,
    ):
        assert await session.ask("Hi") == "answer 2"
        assert [text for _, text in conversation(session)] == ["answer 1", "Hi", "answer 2"]
    (again,) = [each["response"] for each in sent(peers[1], "response.create") if "response" in each]
    assert again == {"instructions": "Be brief.\n\nGreet.", "tool_choice": "none"}
    assert not logged(lines, "greeting_drifted")


@pytest.mark.parametrize("interruptible", [True, False])
async def test_who_speaks_into_the_greeting_stops_it_only_where_that_is_allowed(
    tmp_path: Path, interruptible: bool
) -> None:
    """Else turn detection is told not to interrupt until it was heard, and is afterwards as it was."""

    async def script(peer: Peer) -> None:
        session = {"type": "realtime", "audio": {"input": {"turn_detection": {**VAD, "idle_timeout_ms": None}}}}
        await peer.greet()
        await peer.send({"type": "session.updated", "session": session})
        async with anyio.create_task_group() as tasks:
            await asked(peer)
            await speak(peer, ramp(1000), WELCOME)
            await anyio.sleep(0.3)
            await barge_in(peer)
            tasks.start_soon(answering, peer)

    path = tmp_path / "heard.wav"
    greeting = {"text": WELCOME, "interruptible": interruptible}
    async with heard([wav(path)], script, turn_detection=VAD, greeting=greeting) as call:
        (peer,) = call.peers
        awaited = "conversation.item.truncate" if interruptible else "session.update"
        await reached(lambda: len(sent(peer, awaited)) == (1 if interruptible else 3))
    with wave.open(str(path)) as recording:
        lasts_ms = recording.getnframes() * 1000 / RATE
    assert (lasts_ms == 1000) is not interruptible
    known = {"type": "server_vad", "threshold": 0.4}
    assert detections(peer) == (
        [] if interruptible else [{**known, "interrupt_response": False}, {**known, "interrupt_response": True}]
    )


@pytest.mark.parametrize(("after", "turns"), [("user-audio", 1), ("user", 1), ("user", 2)])
async def test_a_greeting_may_wait_for_the_user(after: str, turns: int) -> None:
    """Until then turn detection answers nothing; what was said into the greeting is answered after it."""
    due: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        await confirm(peer, await peer.until("session.update"))
        await barge_in(peer)
        due.append("heard")
        if after == "user":
            await anyio.sleep(0.05)
            assert not sent(peer, "response.create")
            await peer.send({"type": "input_audio_buffer.committed", "item_id": "item_user"})
            due.append("turn")
        await asked(peer)
        due.append("greeting")
        for _ in range(turns - (after == "user")):
            await peer.send({"type": "input_audio_buffer.committed", "item_id": "item_more"})
        await peer.answer(WELCOME, item_id=own(peer, 9))
        await confirm(peer, await peer.until("session.update"))
        if turns > 1:
            await asked(peer)
            await peer.answer("And this is the answer.", response_id="resp_2", item_id="item_2")
        due.append("end")
        await peer.to_the_end()

    audio = {"input": {"turn_detection": VAD}}
    greeting = {"text": WELCOME, "after": after}
    async with session_with(script, greeting=greeting, session={"audio": audio}) as (session, (peer,), _):
        await reached(lambda: due[-1:] == ["end"])
        await session.wait_idle()
    assert due == ["heard", *(["turn"] if after == "user" else []), "greeting", "end"]
    assert [each["create_response"] for each in detections(peer)] == [False, True]
    assert "interrupt_response" not in detections(peer)[0]


def recording(path: Path, pcm: bytes) -> Path:
    """A WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(pcm)
    return path


@pytest.mark.parametrize("is_interrupted", [False, True])
async def test_a_recording_greets_and_the_conversation_knows_what_it_says(tmp_path: Path, is_interrupted: bool) -> None:
    """It is played as an answer is; the part that nobody heard is taken out of the conversation."""
    welcome = recording(tmp_path / "welcome.wav", ramp(2000))

    async def script(peer: Peer) -> None:
        await peer.greet()
        created = await peer.until("conversation.item.create")
        await confirm(peer, created)
        if is_interrupted:
            await anyio.sleep(1)
            await barge_in(peer)
        await answering(peer)

    path, said = tmp_path / "heard.wav", tmp_path / "said.jsonl"
    greeting = {"text": WELCOME, "audio": str(welcome)}
    async with heard([wav(path), transcript(said)], script, greeting=greeting) as call:
        (peer,) = call.peers
        if is_interrupted:
            await reached(lambda: len(sent(peer, "conversation.item.create")) == 2)
        else:
            playback, conversation = call.outlets.playback, call.session.state.conversation
            assert playback
            await reached(lambda: any(each.is_announced for each in conversation.items) and not playback.is_playing)
    with wave.open(str(path)) as file:
        samples = file.readframes(file.getnframes())
    (line,) = map(json.loads, said.read_text().splitlines())
    told = [each["item"]["content"][0]["text"] for each in sent(peer, "conversation.item.create")]
    assert not sent(peer, "response.create")
    assert told[0] == WELCOME
    assert samples == ramp(2000)[: len(samples)]
    if is_interrupted:
        assert told[1:] == [line["text"]]
        assert WELCOME.startswith(line["text"])
        assert line["status"] == "interrupted"
        assert 900 < len(samples) / 2 / RATE * 1000 < 1900
    else:
        assert (line["role"], line["text"], len(samples)) == ("assistant", WELCOME, len(ramp(2000)))


async def test_a_greeting_that_cannot_be_played_ends_the_session_before_it_connects(tmp_path: Path) -> None:
    """A file that is not there, no WAV, or too long."""
    silence = array("h", bytes(2 * 8000 * 121)).tobytes()
    (tmp_path / "text.wav").write_text("no audio")
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(silence)
    for name, problem in (("none", "cannot be read"), ("text", "no WAV"), ("long", "up to 120 s")):
        audio = {"text": WELCOME, "audio": str(tmp_path / f"{name}.wav")}
        with pytest.raises(InputError, match=problem):
            async with open_session(persistent(1, greeting=audio)):
                pass
