"""What is heard reaches the endpoint: whole, in its format, when it is due, and with an end."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from runner.audio.format import PCM, PCMU
from runner.errors import InputError, ProfileError
from runner.inputs import sender
from runner.inputs.broadcast import Broadcast
from runner.inputs.live import PipedInput
from runner.inputs.recording import RecordedInput
from runner.session.opening import open_session
from runner.session.session import Session
from runner.settings.input import FileInput, StdinInput
from tests.helpers.endpoint_scripts import in_turn, persistent, reached
from tests.helpers.hearing_peers import (
    all_ears,
    answering,
    at_once,
    confirming,
    detecting,
    heard,
    others,
    pieces,
    recording,
    tone,
)
from tests.helpers.peer import Peer, Script, profile_for, serving

pytestmark = pytest.mark.anyio

VAD = {"input": {"turn_detection": {"type": "server_vad"}}}
BY_HAND = {"input": {"turn_detection": "none"}}


@asynccontextmanager
async def session_with(script: Script, **session: Any) -> AsyncIterator[tuple[Session, list[Peer]]]:
    """A session whose endpoint follows a script, within bounded time."""
    with anyio.fail_after(20):
        async with serving(script) as (port, peers), open_session(profile_for(port, session=session)) as opened:
            yield opened, peers


async def fed(
    path: Path, script: Script, *, pace: str = "fast", silence_ms: int = 100, playback: Any = None, **session: Any
) -> tuple[Peer, Session]:
    """Say a recording to a session to its end, and wait for the answers."""
    settings = FileInput.model_validate({"kind": "file", "path": path, "pace": pace, "trailing_silence_ms": silence_ms})
    source = RecordedInput(settings, shows_progress=False)
    try:
        async with session_with(script, **session) as (opened, peers):
            await source.open(opened.state.configuration.input_format)
            await source.feed(opened, playback, at_once)
            await opened.wait_idle()
            answer = opened
    finally:
        source.close()
    return peers[0], answer


async def test_a_recording_is_heard_to_the_sample_and_as_fast_as_it_was_spoken(tmp_path: Path) -> None:
    """In frames of 20 ms, none of them early; then silence."""
    pcm = tone(0.5)
    since_s = anyio.current_time()
    peer, _ = await fed(recording(tmp_path / "a.wav", pcm), detecting(silence_s=0.04), pace="real-time", audio=VAD)

    assert anyio.current_time() - since_s >= 0.58
    assert heard(peer) == pcm + bytes(PCM.size_bytes(100))
    assert {len(each) for each in pieces(peer)} == {960}


async def test_fast_is_faster_than_speech(tmp_path: Path) -> None:
    """A minute takes no minute, and not one sample is lost."""
    pcm = tone(1) * 60
    since_s = anyio.current_time()
    peer, _ = await fed(recording(tmp_path / "a.wav", pcm), confirming, audio=BY_HAND)

    assert anyio.current_time() - since_s < 15
    assert heard(peer) == pcm
    assert others(peer) == ["input_audio_buffer.commit", "response.create"]


@pytest.mark.parametrize(("rate", "form"), [(44_100, PCM), (16_000, PCM), (8_000, PCMU), (24_000, PCMU)])
async def test_any_rate_becomes_the_session_s(tmp_path: Path, rate: int, form: Any) -> None:
    """The length stays the same to the sample, in whatever format the session hears."""
    pytest.importorskip("soxr")
    name: dict[str, Any] = {"type": form.encoding, **({"rate": 24000} if form is PCM else {})}
    audio = {"input": {"turn_detection": "none", "format": name}}
    peer, _ = await fed(recording(tmp_path / "a.wav", tone(1, rate=rate), rate=rate), confirming, audio=audio)

    said = form.decode(heard(peer))
    assert abs(len(said) // 2 - form.rate) <= 1
    assert max(memoryview(said).cast("h")) == pytest.approx(9000, rel=0.1)


async def test_a_rate_that_needs_a_library_is_told_before_anything_connects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base install says which rate it can take."""
    monkeypatch.setitem(sys.modules, "soxr", None)
    path = recording(tmp_path / "a.wav", tone(0.2, rate=16_000), rate=16_000)
    source = RecordedInput(FileInput(kind="file", path=path), shows_progress=False)

    with pytest.raises(ProfileError, match="16000 Hz must be resampled to 24000 Hz") as raised:
        await source.open(PCM)
    assert raised.value.hint == "pip install 'rt-run[audio]'"


@pytest.mark.parametrize("pace", ["real-time", "fast"])
async def test_every_turn_of_a_recording_is_answered(tmp_path: Path, pace: str) -> None:
    """Turn detection finds them, and the last one ends in the silence that follows."""
    pcm = tone(0.2) + bytes(PCM.size_bytes(200)) + tone(0.2)
    _, session = await fed(recording(tmp_path / "a.wav", pcm), detecting(silence_s=0.1), pace=pace, audio=VAD)

    answers = [item.text for item in session.state.conversation.items if item.role == "assistant"]
    assert answers == ["answer 1", "answer 2"]


async def test_silence_goes_on_while_somebody_is_thought_to_speak(tmp_path: Path) -> None:
    """Turn detection that takes its time gets more of it than the profile says."""
    path = recording(tmp_path / "a.wav", tone(0.2))
    peer, session = await fed(path, detecting(silence_s=0.5), pace="real-time", audio=VAD)

    assert others(peer) == []
    assert [item.text for item in session.state.conversation.items if item.role == "assistant"] == ["answer 1"]
    assert len(heard(peer)) >= PCM.size_bytes(200 + 500)


async def test_a_turn_that_does_not_end_is_ended_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The silence has a bound, and what turn detection has not ended it does not answer."""
    monkeypatch.setattr(sender, "_MOST_SILENCE_S", 0.2)
    peer, _ = await fed(recording(tmp_path / "a.wav", tone(0.2)), detecting(silence_s=60), audio=VAD)

    assert others(peer) == ["input_audio_buffer.commit", "response.create"]


async def test_the_end_of_a_fast_recording_waits_until_the_endpoint_has_caught_up(tmp_path: Path) -> None:
    """What it hears late is answered all the same."""

    async def slow(peer: Peer) -> None:
        await peer.greet()
        await peer.until("session.update")
        await anyio.sleep(0.1)
        await peer.send({"type": "input_audio_buffer.speech_started", "item_id": "i", "audio_start_ms": 0})
        await peer.send({"type": "session.updated", "session": {"type": "realtime", "audio": VAD}})
        await anyio.sleep(0.1)
        await peer.send({"type": "input_audio_buffer.speech_stopped", "item_id": "i", "audio_end_ms": 100})
        await peer.send({"type": "input_audio_buffer.committed", "item_id": "i"})
        await peer.answer("in the end")
        await peer.to_the_end()

    _, session = await fed(recording(tmp_path / "a.wav", tone(0.3)), slow, audio=VAD)

    assert [item.text for item in session.state.conversation.items if item.role == "assistant"] == ["in the end"]


async def test_a_transcription_is_only_committed(tmp_path: Path) -> None:
    """Nobody answers there."""
    path = recording(tmp_path / "a.wav", tone(0.2))
    with anyio.fail_after(10):
        async with serving(confirming) as (port, peers):
            profile = profile_for(port, session={"type": "transcription", "audio": BY_HAND}, model=None)
            source = RecordedInput(FileInput(kind="file", path=path, pace="fast"), shows_progress=False)
            async with open_session(profile) as session:
                await source.open(PCM)
                await source.feed(session, None, at_once)
                await session.wait_idle()
    source.close()

    assert others(peers[0]) == ["input_audio_buffer.commit"]


async def test_a_translation_hears_larger_frames_and_then_silence(tmp_path: Path) -> None:
    """It has no turns, so nothing is committed."""

    async def interpreter(peer: Peer) -> None:
        await peer.send({"type": "session.created", "session": {"type": "translation", "id": "s", "model": "m"}})
        await peer.until("session.update")
        await peer.send({"type": "session.updated", "session": {"type": "translation", "id": "s"}})
        await peer.to_the_end()

    pcm = tone(0.4)
    path = recording(tmp_path / "a.wav", pcm)
    peer, _ = await fed(path, interpreter, pace="real-time", silence_ms=400)

    assert [len(each) for each in pieces(peer)] == [9600] * 4
    assert heard(peer) == pcm + bytes(len(pcm))
    assert others(peer) == []


async def test_what_is_too_short_for_a_turn_is_told(tmp_path: Path) -> None:
    """The endpoint would refuse it in its own words."""
    with pytest.raises(InputError, match=r"a\.wav lasts 40 ms, and nothing below 100 ms can be a turn"):
        await fed(recording(tmp_path / "a.wav", tone(0.04)), confirming, audio=BY_HAND)


async def test_a_turn_is_ended_where_the_input_is_taken_away(tmp_path: Path) -> None:
    """A drain in the middle of a sentence does not wait for a silence that never comes."""
    path = recording(tmp_path / "a.wav", tone(5))
    source = RecordedInput(FileInput(kind="file", path=path), shows_progress=False)
    async with session_with(detecting(silence_s=1), audio=VAD) as (session, peers):
        await source.open(PCM)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source.feed, session, None, at_once)
            while session.state.pending.turn != "speaking":
                await session.changes.next()
            tasks.cancel_scope.cancel()
        await session.wait_idle()
        assert others(peers[0]) == ["input_audio_buffer.commit"]
    source.close()


async def test_a_fast_recording_waits_for_the_next_connection(tmp_path: Path) -> None:
    """Nothing of it grows too old on the way, however long the way is."""

    async def losing(peer: Peer) -> None:
        await peer.greet()
        await peer.until("input_audio_buffer.append")

    async def slow(peer: Peer) -> None:
        await anyio.sleep(0.5)
        await peer.greet()
        await answering(peer)

    pcm = tone(1) * 20
    source = RecordedInput(
        FileInput(kind="file", path=recording(tmp_path / "a.wav", pcm), pace="fast"), shows_progress=False
    )
    with anyio.fail_after(20):
        async with serving(in_turn(losing, slow)) as (port, peers):
            profile = persistent(port, reconnect={"max_audio_age_s": 0.1}, session={"audio": BY_HAND})
            async with open_session(profile) as session:
                await source.open(PCM)
                await source.feed(session, None, at_once)
                await session.wait_idle()
    source.close()

    assert len(heard(peers[1])) > len(pcm) * 0.8


async def test_a_pipe_waits_for_the_next_connection() -> None:
    """Whoever writes is held back, and what was not sent before is sent after."""

    async def losing(peer: Peer) -> None:
        await peer.greet()
        await peer.until("input_audio_buffer.append")

    async def slow(peer: Peer) -> None:
        await anyio.sleep(0.5)
        await peer.greet()
        await answering(peer)

    with anyio.fail_after(20):
        async with serving(in_turn(losing, slow)) as (port, peers), piped() as (source, sending):
            profile = persistent(port, reconnect={"max_audio_age_s": 0.1}, session={"audio": BY_HAND})
            async with open_session(profile) as session, anyio.create_task_group() as tasks:
                tasks.start_soon(source.feed, session, None, at_once)
                os.write(sending, tone(0.1))
                while session.link is not None:
                    await session.changes.next()
                os.write(sending, tone(1))
                os.close(sending)

    assert heard(peers[1]).endswith(tone(1))


class Speaker:
    """Somebody who answers aloud, for as long as a test says."""

    is_playing = False

    def interrupt(self) -> None:
        """Stop."""
        self.is_playing = False


@asynccontextmanager
async def piped(**settings: Any) -> AsyncIterator[tuple[PipedInput, int]]:
    """Samples from a pipe, and the end to write to."""
    receiving, sending = os.pipe()
    broadcast = Broadcast(receiving, max_line_bytes=0, is_audio=True)
    listener = broadcast.listen(max_line_bytes=1 << 20)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(broadcast.run)
            yield (
                PipedInput(StdinInput.model_validate({"kind": "stdin", "format": "audio", **settings}), listener),
                sending,
            )
            tasks.cancel_scope.cancel()
    finally:
        os.close(receiving)


async def test_every_sample_of_a_pipe_arrives_however_it_is_cut() -> None:
    """Half a sample waits for its other half."""
    pcm = tone(0.3)
    async with session_with(confirming, audio=BY_HAND) as (session, peers), piped() as (source, sending):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source.feed, session, None, at_once)
            for at in range(0, len(pcm), 333):
                os.write(sending, pcm[at : at + 333])
                await anyio.lowlevel.checkpoint()
            os.close(sending)
        await session.wait_idle()

    assert heard(peers[0]) == pcm
    assert others(peers[0]) == ["input_audio_buffer.commit", "response.create"]


async def test_a_pipe_that_held_nothing_is_told() -> None:
    """Whatever was to write into it has failed."""
    async with session_with(confirming, audio=BY_HAND) as (session, _), piped() as (source, sending):
        os.close(sending)
        with pytest.raises(InputError, match="standard input holds no audio"):
            await source.feed(session, None, at_once)


async def test_silence_takes_the_place_of_what_is_heard_while_an_answer_plays() -> None:
    """And for a moment after it, since a room goes on sounding; time does not stop."""
    speaker = Speaker()
    async with session_with(all_ears) as (session, peers), piped(mute_while_playing=True) as (source, sending):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source.feed, session, speaker, at_once)

            async def say(pcm: bytes) -> bytes:
                before = len(heard(peers[0]))
                os.write(sending, pcm)
                await reached(lambda: len(heard(peers[0])) >= before + len(pcm))
                return heard(peers[0])[before:]

            pcm = tone(0.02)
            assert await say(pcm) == pcm
            speaker.is_playing = True
            assert await say(pcm) == bytes(len(pcm))
            speaker.is_playing = False
            assert await say(pcm) == bytes(len(pcm))
            await anyio.sleep(0.25)
            assert await say(pcm) == pcm
            tasks.cancel_scope.cancel()
        os.close(sending)
