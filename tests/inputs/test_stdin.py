"""Lines of a file descriptor."""

import os
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import InputError
from runner.inputs.stdin import feed, lines, samples
from runner.session.opening import open_session
from runner.settings.input import StdinInput
from tests.helpers.peer import Peer, profile_for, serving

pytestmark = pytest.mark.anyio


async def read(descriptor: int, *, max_line_bytes: int = 1000) -> list[tuple[int, bytes]]:
    """All lines of a descriptor."""
    return [each async for each in lines(descriptor, max_line_bytes=max_line_bytes)]


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_however_a_pipe_is_cut_the_lines_are_the_same(pieces: list[bytes]) -> None:
    """Where the writes were cut does not show; only a last line without break may be missing its break."""

    async def main() -> list[tuple[int, bytes]]:
        receiving, sending = os.pipe()
        for piece in pieces:
            os.write(sending, piece)
        os.close(sending)
        try:
            return await read(receiving)
        finally:
            os.close(receiving)

    whole = b"".join(pieces)
    expected = whole.split(b"\n")
    if not expected[-1]:
        expected.pop()

    assert [line for _, line in anyio.run(main)] == expected


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=10))
def test_however_a_pipe_is_cut_a_sample_stays_in_one_piece(cuts: list[bytes]) -> None:
    """Every piece holds whole samples, and together they are what was written but for half a sample at the end."""

    async def main() -> list[bytes]:
        receiving, sending = os.pipe()
        got: list[bytes] = []

        async def write() -> None:
            for cut in cuts:
                os.write(sending, cut)
                await anyio.lowlevel.checkpoint()
            os.close(sending)

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(write)
                got += [piece async for _, piece in samples(receiving)]
        finally:
            os.close(receiving)
        return got

    got, whole = anyio.run(main), b"".join(cuts)

    assert all(piece and len(piece) % 2 == 0 for piece in got)
    assert b"".join(got) == whole[: len(whole) // 2 * 2]


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    """A redirected file cannot be waited for, and need not be."""
    path = tmp_path / "lines"
    path.write_bytes(b"one\r\ntwo")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        assert await read(descriptor) == [(1, b"one\r"), (2, b"two")]
    finally:
        os.close(descriptor)


async def test_dev_null_ends_at_once() -> None:
    """What a service manager gives as standard input is an end, not an error."""
    descriptor = os.open("/dev/null", os.O_RDONLY)
    try:
        assert await read(descriptor) == []
    finally:
        os.close(descriptor)


async def test_a_line_without_end_is_bounded() -> None:
    """The line's number and the setting to change are told."""
    receiving, sending = os.pipe()
    try:
        os.write(sending, b"fine\n" + b"x" * 5000)
        with pytest.raises(InputError, match="stdin:2: longer than 1000 bytes"):
            await read(receiving)
    finally:
        os.close(receiving)
        os.close(sending)


async def test_waiting_for_input_can_be_cancelled() -> None:
    """A pipe that stays silent does not keep the session."""
    receiving, sending = os.pipe()
    try:
        with anyio.move_on_after(0.05) as scope:
            await read(receiving)
        assert scope.cancelled_caught
    finally:
        os.close(receiving)
        os.close(sending)


async def test_what_is_being_said_at_the_end_of_input_is_committed() -> None:
    """Turn detection waits for a silence that will never come; the last words are asked for instead."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("input_audio_buffer.append")
        await peer.send({"type": "input_audio_buffer.speech_started", "item_id": "i", "audio_start_ms": 0})
        await peer.until("input_audio_buffer.commit")
        await peer.send({"type": "input_audio_buffer.committed", "item_id": "i"})
        words = {"item_id": "i", "content_index": 0, "transcript": "last words"}
        await peer.send({"type": "conversation.item.input_audio_transcription.completed", **words})
        await peer.to_the_end()

    receiving, sending = os.pipe()
    audio = {"input": {"transcription": {"model": "x"}, "turn_detection": {"type": "server_vad"}}}
    try:
        async with serving(script) as (port, peers):
            profile = profile_for(port, session={"type": "transcription", "audio": audio}, model=None)
            async with open_session(profile) as session:
                os.write(sending, b'{"type": "input_audio_buffer.append", "audio": "AAAA"}\n')
                with anyio.fail_after(5):
                    async with anyio.create_task_group() as tasks:
                        settings = StdinInput(kind="stdin", format="events")
                        tasks.start_soon(feed, session, settings, lines(receiving, max_line_bytes=1000))
                        while session.state.pending.turn != "speaking":
                            await session.changes.next()
                        os.close(sending)
                    await session.wait_idle()
        assert peers[0].received[-1]["type"] == "input_audio_buffer.commit"
    finally:
        os.close(receiving)
