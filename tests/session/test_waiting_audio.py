"""Audio that waits for a connection."""

from array import array

import anyio
import pytest

from runner.session import waiting_audio
from runner.session.waiting_audio import WaitingAudio

pytestmark = pytest.mark.anyio


def taken(waiting: WaitingAudio) -> bytes:
    """The first piece, which then waits no longer."""
    piece = waiting.first()
    if piece is None:
        return b""
    waiting.sent(piece)
    return piece.audio


async def test_what_was_said_waits_in_its_order() -> None:
    """Whatever holds the bytes; they are copied."""
    waiting, samples = WaitingAudio(60), bytearray(b"bb")
    for audio in (b"a", samples, memoryview(array("h", [1]))):
        waiting.put(audio)
    samples[:] = b"xx"

    assert [taken(waiting) for _ in range(4)] == [b"a", b"bb", array("h", [1]).tobytes(), b""]
    assert waiting.dropped_bytes == 0


async def test_no_audio_does_not_wait() -> None:
    """It would hold up what comes after it."""
    waiting = WaitingAudio(60)
    waiting.put(b"")
    waiting.put(b"a")

    assert taken(waiting) == b"a"


async def test_what_is_too_old_is_dropped() -> None:
    """When something is taken as when something comes."""
    waiting = WaitingAudio(0.05)
    waiting.put(b"old")
    await anyio.sleep(0.1)
    waiting.put(b"older soon")
    assert waiting.dropped_bytes == 3
    await anyio.sleep(0.1)

    assert taken(waiting) == b""
    assert waiting.dropped_bytes == 13


async def test_the_whole_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first, and what is too much by itself."""
    monkeypatch.setattr(waiting_audio, "MAX_WAITING_BYTES", 10)
    waiting = WaitingAudio(60)
    for audio in (b"a" * 4, b"b" * 4, b"c" * 4):
        waiting.put(audio)
    assert waiting.dropped_bytes == 4
    assert taken(waiting) == b"b" * 4

    waiting.put(b"d" * 11)
    assert (taken(waiting), waiting.dropped_bytes) == (b"", 19)
