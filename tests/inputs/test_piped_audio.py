"""Raw samples of standard input reach the endpoint, through a real pipe."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from runner.errors import InputError, ProfileError
from runner.inputs import sender
from runner.inputs.piped_audio import PipedInput
from runner.settings.input import StdinInput
from tests.helpers.endpoint_scripts import reached
from tests.helpers.hearing_peers import (
    BY_HAND,
    TURN_DETECTION,
    PlayedAnswers,
    all_ears,
    at_once,
    confirming,
    heard,
    hearing_late,
    lost_session,
    others,
    recording,
    session_with,
    tone,
)
from tests.helpers.standard_input import standard_input

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def piped(**settings: Any) -> AsyncIterator[tuple[PipedInput, int]]:
    """Samples from a pipe, and the end to write to."""
    async with standard_input(is_audio=True) as (broadcast, sending):
        of_profile = StdinInput.model_validate({"kind": "stdin", "format": "audio", **settings})
        yield PipedInput(of_profile, broadcast.listen()), sending


async def test_every_sample_of_a_pipe_arrives_however_it_is_cut() -> None:
    """Half a sample waits for its other half."""
    pcm = tone(0.3)
    async with (
        session_with(confirming, audio=BY_HAND) as (session, peers),
        piped() as (source, sending),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(source.feed, session, at_once, None)
        for at in range(0, len(pcm), 333):
            os.write(sending, pcm[at : at + 333])
            await anyio.lowlevel.checkpoint()
        os.close(sending)

    assert heard(peers[0]) == pcm
    assert others(peers[0]) == ["input_audio_buffer.commit", "response.create"]


async def test_what_is_heard_late_of_a_pipe_is_answered() -> None:
    """A program may write faster than anybody speaks, and an endpoint hears beside what it does."""
    question = tone(0.3) + bytes(len(tone(0.2)))
    script = hearing_late(late_s=0.5, silence_s=0.1)
    async with (
        session_with(script, audio=TURN_DETECTION) as (session, peers),
        piped(trailing_silence_ms=200) as (source, sending),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(source.feed, session, at_once, None)
        for _ in range(3):
            await anyio.to_thread.run_sync(os.write, sending, question)
        os.close(sending)

    assert [each.text for each in session.state.conversation.items] == ["answer 1", "answer 2", "answer 3"]
    assert session.first_unanswered is None
    assert others(peers[0]) == []


async def test_a_pipe_that_held_nothing_is_an_error() -> None:
    """The program that was to write into it has failed."""
    async with session_with(confirming, audio=BY_HAND) as (session, _), piped() as (source, sending):
        os.close(sending)
        with pytest.raises(InputError, match="standard input holds no audio"):
            await source.feed(session, at_once, None)


async def test_a_wav_file_is_no_raw_audio(tmp_path: Path) -> None:
    """Its header would be heard as a click; the hint says how to send it."""
    wav = recording(tmp_path / "a.wav", tone(0.1)).read_bytes()
    async with session_with(confirming, audio=BY_HAND) as (session, peers), piped() as (source, sending):
        os.write(sending, wav)
        os.close(sending)
        with pytest.raises(InputError, match="standard input is a WAV file") as raised:
            await source.feed(session, at_once, None)

    assert 'input.kind = "file"' in raised.value.hint
    assert others(peers[0]) == []


MPEG_FRAME = b"\xff\xf3\x84\xc4" + bytes(188)
ADTS_FRAME = b"\xff\xf1\x5c\x80\x0d\x1f\xfc" + bytes(97)
FILES = {
    "a WAV file": b"RF64\xff\xff\xff\xffWAVEds64",
    "a FLAC file": b"fLaC\0\0\0\x22",
    "an OGG file": b"OggS\0\2" + bytes(20),
    "an MP3 file": b"ID3\3\0\0\0\0\0\x0a" + bytes(10),
    "an MP3 file ": MPEG_FRAME * 4,
    "an AAC file": ADTS_FRAME * 4,
    "an MP4 file": b"\0\0\0\x20ftypM4A \0\0\0\0",
    "a WebM or Matroska file": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81",
    "an AIFF file": b"FORM\0\1\0\0AIFFCOMM",
    "an AU file": b".snd\0\0\0\x18\xff\xff\xff\xff",
    "a CAF file": b"caff\0\1\0\0desc",
    "an AMR file": b"#!AMR\n",
}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("name", FILES)
async def test_a_file_is_no_raw_audio_however_it_is_cut(name: str) -> None:
    """Compressed audio would be heard as noise; its beginning may come in small pieces, or be all that comes."""
    async with session_with(confirming, audio=BY_HAND) as (session, peers), piped() as (source, sending):
        if len(FILES[name]) > 100:
            os.write(sending, FILES[name])
        else:
            for at in range(len(FILES[name])):
                os.write(sending, FILES[name][at : at + 1])
        os.close(sending)
        with pytest.raises(InputError, match=f"standard input is {name.strip()}, and raw samples are expected"):
            await source.feed(session, at_once, None)

    assert heard(peers[0]) == b""


@pytest.mark.parametrize("pcm", [b"\xff\xf3" * 3000, b"\xff\xf1\x5c\x80" * 2000, bytes(8000), tone(0.2)])
async def test_samples_that_begin_like_a_frame_are_samples(pcm: bytes) -> None:
    """What is quiet looks like the beginning of a frame."""
    async with session_with(confirming, audio=BY_HAND) as (session, peers), piped() as (source, sending):
        os.write(sending, pcm)
        os.close(sending)
        await source.feed(session, at_once, None)

    assert heard(peers[0]) == pcm


async def test_samples_of_a_rate_that_needs_a_library_are_refused_before_anything_connects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The check goes by the format that the first `session.update` asks for."""
    monkeypatch.setitem(sys.modules, "soxr", None)
    asked = {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}}
    async with piped(rate=16_000) as (source, sending):
        os.close(sending)
        await source.open(asked)
        with pytest.raises(ProfileError, match="16000 Hz must be resampled to 24000 Hz"):
            await source.open({})


async def test_a_pipe_waits_for_the_next_connection() -> None:
    """The program that writes is held back, and nothing grows too old on the way."""
    pcm = tone(1)
    async with (
        lost_session(max_audio_age_s=0.02) as (session, peers, returning),
        piped() as (source, sending),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(source.feed, session, at_once, None)
        os.write(sending, pcm)
        os.close(sending)
        await anyio.sleep(0.1)
        returning.set()

    assert heard(peers[1]) == pcm


async def test_silence_takes_the_place_of_what_is_heard_while_an_answer_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    """And for a moment after it, since a room goes on sounding; time does not stop."""
    speaker, pcm = PlayedAnswers(), tone(0.02)
    async with session_with(all_ears) as (session, peers), piped(mute_while_playing=True) as (source, sending):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source.feed, session, at_once, speaker)

            async def heard_of_piece() -> bytes:
                before = len(heard(peers[0]))
                os.write(sending, pcm)
                await reached(lambda: len(heard(peers[0])) >= before + len(pcm))
                return heard(peers[0])[before:]

            assert await heard_of_piece() == pcm
            monkeypatch.setattr(sender, "_ECHO_S", 3600.0)
            speaker.is_playing = True
            assert await heard_of_piece() == bytes(len(pcm))
            speaker.is_playing = False
            assert await heard_of_piece() == bytes(len(pcm))
            monkeypatch.setattr(sender, "_ECHO_S", 0.02)
            speaker.is_playing = True
            assert await heard_of_piece() == bytes(len(pcm))
            speaker.is_playing = False
            await anyio.sleep(0.03)
            assert await heard_of_piece() == pcm
            tasks.cancel_scope.cancel()
        os.close(sending)
