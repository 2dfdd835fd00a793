"""A run that writes down what it hears, against an endpoint on a real socket."""

import json
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.helpers.command_process import Command, Ended, profile
from tests.helpers.endpoint_scripts import in_turn, reached
from tests.helpers.peer import Peer, Script, serving

pytestmark = pytest.mark.anyio

PROFILE = """
[endpoint]
kind = "custom"
base_url = "http://127.0.0.1:{port}/v1"
[session]
type = "transcription"
[session.audio.input]
transcription = {{ model = "gpt-transcribe" }}
turn_detection = "none"
[input]
kind = "stdin"
format = "events"
[[outputs]]
kind = "stdout"
[logging]
level = "warning"
[run]
sessions = {sessions}
[run.reconnect]
max_attempts = {max_attempts}
initial_delay_s = 0.01
"""
PREFIX = "conversation.item.input_audio_transcription"
APPEND = {"type": "input_audio_buffer.append", "audio": "AAAA"}
COMMIT = {"type": "input_audio_buffer.commit"}


async def heard(peer: Peer, item_id: str) -> None:
    """Take a turn as it comes."""
    await peer.until("input_audio_buffer.commit")
    await peer.send({"type": "input_audio_buffer.committed", "event_id": "e", "item_id": item_id})


async def write(peer: Peer, item_id: str, end: str, **fields: Any) -> None:
    """A piece or the end of a transcript."""
    await peer.send({"type": f"{PREFIX}.{end}", "event_id": "e", "item_id": item_id, "content_index": 0, **fields})


async def dictated(peer: Peer) -> None:
    """Three turns whose transcripts overlap; the third does not stream."""
    await peer.greet()
    for item_id in "abc":
        await heard(peer, item_id)
    await write(peer, "b", "delta", delta="How are")
    await write(peer, "a", "delta", delta="Hello ")
    await write(peer, "b", "delta", delta=" you?")
    await write(peer, "c", "completed", transcript="Well, well.")
    await write(peer, "b", "completed", transcript="How are you?")
    await write(peer, "a", "delta", delta="there.")
    await write(peer, "a", "completed", transcript="Hello there.")
    await peer.to_the_end()


async def run(folder: Path, script: Script, turns: int, *, sessions: int = 1, max_attempts: int = 0) -> Ended:
    """The command, with so many turns on its standard input."""
    text = "".join(f"{json.dumps(each)}\n" for each in (APPEND, COMMIT) * turns)
    async with serving(script) as (port, _):
        settings = PROFILE.format(port=port, sessions=sessions, max_attempts=max_attempts)
        command = Command("--profile", profile(folder, settings), folder=folder)
        return await anyio.to_thread.run_sync(command.end, text)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("sessions", [1, 2])
async def test_a_transcription_is_a_filter(tmp_path: Path, sessions: int) -> None:
    """Standard output has the words and nothing else, a line for each turn, in the order in which they were said."""
    ended = await run(tmp_path, dictated, 3, sessions=sessions)

    assert (ended.code, ended.stderr) == (0, "")
    starts = [""] if sessions == 1 else [f"test-{number} | " for number in range(1, sessions + 1)]
    turns = ("Hello there.", "How are you?", "Well, well.")
    assert sorted(ended.stdout.splitlines()) == sorted(start + turn for start in starts for turn in turns)
    if sessions == 1:
        assert ended.stdout == "Hello there.\nHow are you?\nWell, well.\n"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_could_not_be_written_down_is_reported(tmp_path: Path) -> None:
    """The log has the endpoint's reason, the exit code says that it is not all, and the rest is there."""

    async def failing(peer: Peer) -> None:
        await peer.greet()
        for item_id in "ab":
            await heard(peer, item_id)
        await write(peer, "a", "delta", delta="Hel")
        await write(peer, "b", "completed", transcript="How are you?")
        await write(peer, "a", "failed", error={"code": "audio_unintelligible", "message": "too loud"})
        await peer.to_the_end()

    ended = await run(tmp_path, failing, 2)

    assert (ended.code, ended.stdout) == (76, "Hel\nHow are you?\n")
    failed = ended.logged("transcription_failed")
    assert (failed["level"], failed["item_id"]) == ("warning", "a")
    assert (failed["error"], failed["code"]) == ("the transcription failed: too loud", "audio_unintelligible")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_was_lost_with_its_connection_is_reported(tmp_path: Path) -> None:
    """The next connection goes on after it, and the exit code says that it is not all."""

    async def losing(peer: Peer) -> None:
        await peer.greet()
        await heard(peer, "a")
        await write(peer, "a", "delta", delta="Hel")
        await peer.stream.aclose()

    async def second(peer: Peer) -> None:
        await peer.greet()
        await heard(peer, "b")
        await write(peer, "b", "completed", transcript="How are you?")
        await peer.to_the_end()

    text = "".join(f"{json.dumps(each)}\n" for each in (APPEND, COMMIT))
    async with serving(in_turn(losing, second)) as (port, peers):
        settings = PROFILE.format(port=port, sessions=1, max_attempts=3)
        command = Command("--profile", profile(tmp_path, settings), folder=tmp_path)
        command.write(text)
        begun = await anyio.to_thread.run_sync(command.read, 3)
        await reached(lambda: len(peers) == 2)
        ended = await anyio.to_thread.run_sync(command.end, text)

    assert (ended.code, begun + ended.stdout) == (69, "Hel\nHow are you?\n")
    assert ended.logged("transcription_failed")["item_id"] == "a"
