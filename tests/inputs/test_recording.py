"""A recording reaches the endpoint: whole, in the session's format, when it is due, and with an end."""

import base64
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.audio.format import PCM, PCMU
from runner.errors import EndpointUnreachable, InputError, ProfileError, ProtocolError
from runner.inputs import sender
from runner.inputs.recording import RecordedInput
from runner.installation import install_command
from runner.session.opening import open_session
from runner.session.session import Session
from runner.settings.input import FileInput
from tests.helpers.endpoint_scripts import in_turn, persistent
from tests.helpers.hearing_peers import (
    BY_HAND,
    PATIENCE_S,
    TURN_DETECTION,
    all_ears,
    at_once,
    confirming,
    detecting,
    heard,
    hearing_late,
    lost_session,
    others,
    pieces,
    recording,
    session_with,
    tone,
)
from tests.helpers.log_capture import captured_log
from tests.helpers.peer import Peer, Script, profile_for, serving

pytestmark = pytest.mark.anyio

ONE_LOOP = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""For what no event loop can change."""


async def fed(
    path: Path,
    script: Script,
    *,
    pace: str = "fast",
    silence_ms: int = 100,
    hearing_timeout_s: float = 20,
    **session: Any,
) -> tuple[Peer, Session]:
    """Send a recording to a session to its end; returns the connection that heard it, and the session."""
    times = {"trailing_silence_ms": silence_ms, "hearing_timeout_s": hearing_timeout_s}
    settings = FileInput.model_validate({"kind": "file", "path": path, "pace": pace, **times})
    source = RecordedInput(settings)
    try:
        async with session_with(script, **session) as (opened, peers):
            await source.open({})
            assert await source.feed(opened, at_once, None) == "input-end"
            assert source.live_line("thinking").endswith(" s   thinking")
    finally:
        source.close()
    return peers[0], opened


async def test_a_recording_is_heard_to_the_sample_and_as_fast_as_it_was_spoken(tmp_path: Path) -> None:
    """In frames of 20 ms, none of them early; then silence."""
    pcm = tone(0.2)
    since_s = anyio.current_time()
    peer, _ = await fed(
        recording(tmp_path / "a.wav", pcm), detecting(silence_s=0.04), pace="real-time", audio=TURN_DETECTION
    )

    assert anyio.current_time() - since_s >= 0.28
    assert heard(peer) == pcm + bytes(PCM.size_bytes(100))
    assert {len(each) for each in pieces(peer)} == {960}


async def test_fast_is_faster_than_speech(tmp_path: Path) -> None:
    """A recording that lasts longer than this test may is heard to its end, and not one sample is lost."""
    pcm = tone(1) * (PATIENCE_S + 10)
    peer, _ = await fed(recording(tmp_path / "a.wav", pcm), confirming, audio=BY_HAND)

    assert heard(peer) == pcm
    assert others(peer) == ["input_audio_buffer.commit", "response.create"]


@ONE_LOOP
@pytest.mark.parametrize(("rate", "form"), [(44_100, PCM), (16_000, PCM), (8_000, PCMU), (24_000, PCMU)])
async def test_any_rate_becomes_the_session_s(tmp_path: Path, rate: int, form: Any) -> None:
    """The length stays the same to the sample, in whatever format the session hears."""
    pytest.importorskip("soxr")
    name: dict[str, Any] = {"type": form.encoding, **({"rate": 24000} if form is PCM else {})}
    audio = {"input": {"turn_detection": "none", "format": name}}
    peer, _ = await fed(recording(tmp_path / "a.wav", tone(0.5, rate=rate), rate=rate), confirming, audio=audio)

    said = form.decode(heard(peer))
    assert abs(len(said) // 2 - form.rate // 2) <= 1
    assert max(memoryview(said).cast("h")) == pytest.approx(9000, rel=0.1)


async def test_a_rate_that_needs_a_library_is_refused_before_anything_connects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base install says which rate it can take."""
    monkeypatch.setitem(sys.modules, "soxr", None)
    path = recording(tmp_path / "a.wav", tone(0.2, rate=16_000), rate=16_000)
    source = RecordedInput(FileInput(kind="file", path=path))

    with pytest.raises(ProfileError, match="16000 Hz must be resampled to 24000 Hz") as raised:
        await source.open({})
    source.close()
    assert raised.value.hint == install_command("audio")


@pytest.mark.parametrize("pace", ["real-time", "fast"])
async def test_every_turn_of_a_recording_is_answered(tmp_path: Path, pace: str) -> None:
    """Turn detection finds them, and the last one ends in the silence that follows."""
    pcm = tone(0.3) + bytes(PCM.size_bytes(200)) + tone(0.3)
    path = recording(tmp_path / "a.wav", pcm)
    _, session = await fed(path, detecting(silence_s=0.06), pace=pace, audio=TURN_DETECTION)

    answers = [item.text for item in session.state.conversation.items if item.role == "assistant"]
    assert answers == ["answer 1", "answer 2"]


async def test_silence_goes_on_while_turn_detection_hears_speech(tmp_path: Path) -> None:
    """Turn detection that takes its time gets more of it than the profile says."""
    path = recording(tmp_path / "a.wav", tone(0.1))
    peer, session = await fed(path, detecting(silence_s=0.3), pace="real-time", audio=TURN_DETECTION)

    assert others(peer) == []
    assert [item.text for item in session.state.conversation.items if item.role == "assistant"] == ["answer 1"]
    assert len(heard(peer)) >= PCM.size_bytes(100 + 300)


async def test_a_turn_that_does_not_end_is_ended_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The silence has a bound, and what turn detection has not ended it does not answer."""
    monkeypatch.setattr(sender, "_MOST_SILENCE_S", 0.1)
    peer, _ = await fed(recording(tmp_path / "a.wav", tone(0.2)), detecting(silence_s=60), audio=TURN_DETECTION)

    assert others(peer) == ["input_audio_buffer.commit", "response.create"]


def answers(session: Session) -> list[str]:
    """What the assistant said, in order."""
    return [item.text for item in session.state.conversation.items if item.role == "assistant"]


QUESTION = tone(0.3) + bytes(PCM.size_bytes(200))


@pytest.mark.parametrize("pace", ["fast", "real-time"])
async def test_what_is_heard_late_is_answered(tmp_path: Path, pace: str) -> None:
    """An endpoint hears beside what it does: ten questions, each heard half a second after it was sent."""
    questions = 10 if pace == "fast" else 2
    path = recording(tmp_path / "a.wav", QUESTION * questions)
    script = hearing_late(late_s=0.5, silence_s=0.1)
    peer, session = await fed(path, script, pace=pace, audio=TURN_DETECTION)

    assert answers(session) == [f"answer {number}" for number in range(1, questions + 1)]
    assert session.first_unanswered is None
    assert others(peer) == []


@ONE_LOOP
@pytest.mark.parametrize("pcm", [tone(0.3), bytes(PCM.size_bytes(300))], ids=["said", "silent"])
async def test_where_nobody_is_heard_the_recording_counts_as_unanswered(tmp_path: Path, pcm: bytes) -> None:
    """After a time without a sign of it; at once where there was nothing to hear."""
    timeout_s = 0.2 if any(pcm) else 3600.0
    with captured_log() as lines:
        path = recording(tmp_path / "a.wav", pcm)
        _, session = await fed(path, all_ears, hearing_timeout_s=timeout_s, audio=TURN_DETECTION)

    assert isinstance(session.first_unanswered, ProtocolError)
    assert "turn detection has heard nobody" in session.first_unanswered.message
    assert [each["event"] for each in lines if each["log_level"] == "error"] == ["nobody_heard"]


@ONE_LOOP
async def test_the_last_words_that_are_not_heard_count_as_unanswered(tmp_path: Path) -> None:
    """What lies after the place that turn detection has reached; what lies before it is the endpoint's to judge."""

    async def leaving_off(peer: Peer) -> None:
        await peer.greet()
        await peer.until("input_audio_buffer.append")
        where: list[dict[str, Any]] = [{"audio_start_ms": 500}, {"audio_end_ms": 900}]
        for kind, place in zip(("speech_started", "speech_stopped"), where, strict=True):
            await peer.send({"type": f"input_audio_buffer.{kind}", "item_id": "spoken_1", **place})
        await peer.send({"type": "input_audio_buffer.committed", "item_id": "spoken_1"})
        await peer.answer("answer 1")
        await peer.to_the_end()

    with captured_log() as lines:
        path = recording(tmp_path / "a.wav", QUESTION * 4)
        _, session = await fed(path, leaving_off, hearing_timeout_s=0.2, audio=TURN_DETECTION)

    assert answers(session) == ["answer 1"]
    assert isinstance(session.first_unanswered, ProtocolError)
    assert [each["unheard_s"] for each in lines if each["event"] == "audio_unheard"] == [0.9]


@ONE_LOOP
async def test_an_endpoint_that_never_says_where_it_hears_is_believed(tmp_path: Path) -> None:
    """Once it has been quiet for a while."""

    async def placeless(peer: Peer) -> None:
        await peer.greet()
        await peer.until("input_audio_buffer.append")
        for number in (1, 2):
            await peer.send({"type": "input_audio_buffer.committed", "item_id": f"spoken_{number}"})
            await peer.answer(f"answer {number}", response_id=f"resp_{number}", item_id=f"item_{number}")
            await anyio.sleep(0.05)
        await peer.to_the_end()

    path = recording(tmp_path / "a.wav", QUESTION * 2)
    _, session = await fed(path, placeless, hearing_timeout_s=0.5, audio=TURN_DETECTION)

    assert answers(session) == ["answer 1", "answer 2"]
    assert session.first_unanswered is None


@ONE_LOOP
async def test_what_goes_with_a_connection_unheard_counts_as_lost(tmp_path: Path) -> None:
    """The next one knows nothing of it."""

    async def losing(peer: Peer) -> None:
        await peer.greet()
        await peer.until("input_audio_buffer.append")

    path = recording(tmp_path / "a.wav", QUESTION + tone(1))
    settings = FileInput(kind="file", path=path, hearing_timeout_s=0.2, trailing_silence_ms=200)
    source = RecordedInput(settings)
    await source.open({})
    scripts = in_turn(losing, detecting(silence_s=0.1))
    with captured_log() as lines, anyio.fail_after(PATIENCE_S):
        async with (
            serving(scripts) as (port, _),
            open_session(persistent(port, session={"audio": TURN_DETECTION})) as session,
        ):
            await source.feed(session, at_once, None)
    source.close()

    assert isinstance(session.first_unanswered, InputError)
    assert [each["event"] for each in lines if each["log_level"] == "error"] == ["audio_lost"]


@ONE_LOOP
async def test_mu_law_is_sent_though_the_endpoint_shows_no_format(tmp_path: Path) -> None:
    """What `session.updated` does not show is as it was asked for."""

    async def saying_nothing(peer: Peer) -> None:
        await peer.send({"type": "session.created", "session": {"id": "sess_1"}})
        await peer.until("session.update")
        await peer.send({"type": "session.updated", "session": {}})
        while (event := await peer.event()) is not None:
            await _confirmed(peer, event)

    pytest.importorskip("soxr")
    audio = {"input": {"turn_detection": "none", "format": {"type": "audio/pcmu"}}}
    peer, _ = await fed(recording(tmp_path / "a.wav", tone(0.5)), saying_nothing, audio=audio)

    assert abs(len(heard(peer)) - PCMU.rate // 2) <= 1
    assert others(peer) == ["input_audio_buffer.commit", "response.create"]


async def _confirmed(peer: Peer, event: dict[str, Any]) -> None:
    match event["type"]:
        case "input_audio_buffer.commit":
            await peer.send({"type": "input_audio_buffer.committed", "item_id": "spoken_1"})
        case "response.create":
            await peer.answer("yes")


async def test_a_transcription_is_only_committed(tmp_path: Path) -> None:
    """A transcription has no answers to ask for."""
    path = recording(tmp_path / "a.wav", tone(0.2))
    with anyio.fail_after(PATIENCE_S):
        async with serving(confirming) as (port, peers):
            profile = profile_for(port, session={"type": "transcription", "audio": BY_HAND}, model=None)
            source = RecordedInput(FileInput(kind="file", path=path, pace="fast"))
            async with open_session(profile) as session:
                await source.open({})
                await source.feed(session, at_once, None)
    source.close()

    assert others(peers[0]) == ["input_audio_buffer.commit"]


async def test_a_translation_hears_larger_frames_and_then_silence(tmp_path: Path) -> None:
    """It has no turns, so nothing is committed."""

    async def interpreter(peer: Peer) -> None:
        await peer.send({"type": "session.created", "session": {"type": "translation", "id": "s", "model": "m"}})
        await peer.until("session.update")
        await peer.send({"type": "session.updated", "session": {"type": "translation", "id": "s"}})
        await peer.until("session.close")
        await peer.send({"type": "session.closed"})
        await peer.to_the_end()

    pcm = tone(0.4)
    path = recording(tmp_path / "a.wav", pcm)
    audio = {"output": {"language": "de"}}
    peer, _ = await fed(path, interpreter, pace="real-time", silence_ms=400, type="translation", audio=audio)

    appended = [each for each in peer.received if each["type"] == "session.input_audio_buffer.append"]
    sent = [base64.b64decode(each["audio"]) for each in appended]
    assert [len(each) for each in sent] == [9600] * 4
    assert b"".join(sent) == pcm + bytes(len(pcm))
    assert set(others(peer)) == {"session.input_audio_buffer.append", "session.close"}


async def test_a_turn_that_is_too_short_is_refused(tmp_path: Path) -> None:
    """The endpoint would refuse it in its own words."""
    with pytest.raises(InputError, match=r"a\.wav lasts 40 ms, and nothing below 100 ms can be a turn"):
        await fed(recording(tmp_path / "a.wav", tone(0.04)), confirming, audio=BY_HAND)


async def test_a_turn_is_ended_where_the_input_is_taken_away(tmp_path: Path) -> None:
    """A drain in the middle of a sentence does not wait for a silence that never comes."""
    path = recording(tmp_path / "a.wav", tone(1) * 60)
    source = RecordedInput(FileInput(kind="file", path=path))
    async with session_with(detecting(silence_s=60), audio=TURN_DETECTION) as (session, peers):
        await source.open({})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source.feed, session, at_once, None)
            while session.state.pending.turn != "speaking":
                await session.changes.next()
            tasks.cancel_scope.cancel()
        await session.wait_idle()
        assert others(peers[0]) == ["input_audio_buffer.commit"]
    source.close()


async def test_the_end_of_the_session_in_the_middle_of_a_recording_is_its_own_error(tmp_path: Path) -> None:
    """What was read ahead and waits to be sent does not get in its way."""

    async def losing(peer: Peer) -> None:
        await peer.greet()
        for _ in range(5):
            await peer.until("input_audio_buffer.append")

    with pytest.raises(EndpointUnreachable, match="lost"):
        await fed(recording(tmp_path / "a.wav", tone(1) * 60), losing, pace="real-time", audio=BY_HAND)


async def test_a_fast_recording_waits_for_the_next_connection(tmp_path: Path) -> None:
    """Nothing of it grows too old on the way, however long the way is."""
    pcm = tone(1)
    settings = FileInput(kind="file", path=recording(tmp_path / "a.wav", pcm), pace="fast")
    source = RecordedInput(settings)
    await source.open({})
    async with lost_session(max_audio_age_s=0.02) as (session, peers, returning), anyio.create_task_group() as tasks:
        tasks.start_soon(source.feed, session, at_once, None)
        await anyio.sleep(0.1)
        returning.set()
    source.close()

    assert heard(peers[1]) == pcm


async def test_a_stopped_recording_stands_still(tmp_path: Path) -> None:
    """It goes on where it was, to the sample."""
    pcm = tone(0.4)
    settings = FileInput(kind="file", path=recording(tmp_path / "a.wav", pcm), pace="fast", trailing_silence_ms=0)
    source = RecordedInput(settings)
    async with session_with(confirming, audio=BY_HAND) as (session, peers):
        await source.open({})
        source.switch.stop()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source.feed, session, at_once, None)
            with anyio.move_on_after(0.1):
                await anyio.sleep_forever()
            before = heard(peers[0])
            source.switch.start()
    source.close()

    assert (before, heard(peers[0])) == (b"", pcm)
