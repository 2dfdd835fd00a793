"""Endpoints that hear, for scripts of `tests.helpers.peer`, and recordings for them."""

import base64
import functools
import math
import struct
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from runner.session.opening import open_session
from runner.session.session import Session
from tests.helpers.endpoint_scripts import in_turn, persistent
from tests.helpers.peer import Peer, Script, profile_for, serving

RATE = 24_000
PATIENCE_S = 150
"""The longest that a test of an input takes, in seconds; most need a fraction of a second."""

TURN_DETECTION = {"input": {"turn_detection": {"type": "server_vad"}}}
BY_HAND = {"input": {"turn_detection": "none"}}


@functools.cache
def tone(duration_s: float, *, rate: int = RATE) -> bytes:
    """A tone that has no sample like the one before it, as 16-bit samples."""
    return b"".join(
        struct.pack("<h", round(9000 * math.sin(index * 440 * math.tau / rate)))
        for index in range(round(duration_s * rate))
    )


def recording(path: Path, pcm: bytes, *, rate: int = RATE) -> Path:
    """Write a WAV of one channel; returns its path."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)
    return path


def pieces(peer: Peer) -> list[bytes]:
    """The audio that a connection received, as it came."""
    return [base64.b64decode(each["audio"]) for each in peer.received if each["type"] == "input_audio_buffer.append"]


def heard(peer: Peer) -> bytes:
    """All audio that a connection received."""
    return b"".join(pieces(peer))


def others(peer: Peer) -> list[str]:
    """The types of what a connection received besides audio and its configuration."""
    kinds = [each["type"] for each in peer.received]
    return [kind for kind in kinds if kind not in {"input_audio_buffer.append", "session.update"}]


class PlayedAnswers:
    """The answers that are being played, for as long as a test says.

    Attributes:
        interrupted: How often they were interrupted.
    """

    is_playing = False
    interrupted = 0

    def interrupt(self) -> None:
        """Stop."""
        self.is_playing = False
        self.interrupted += 1


async def at_once() -> None:
    """Outputs that have shown everything."""


@asynccontextmanager
async def session_with(script: Script, **session: Any) -> AsyncIterator[tuple[Session, list[Peer]]]:
    """A session whose endpoint follows a script, and its connections; all of it within bounded time."""
    with anyio.fail_after(PATIENCE_S):
        async with serving(script) as (port, peers), open_session(profile_for(port, session=session)) as opened:
            yield opened, peers


@asynccontextmanager
async def lost_session(max_audio_age_s: float) -> AsyncIterator[tuple[Session, list[Peer], anyio.Event]]:
    """A session that has lost its connection, its connections, and the event that lets it have the next one."""
    leaving, returning = anyio.Event(), anyio.Event()

    async def losing(peer: Peer) -> None:
        await peer.greet()
        await leaving.wait()

    async def confirming_late(peer: Peer) -> None:
        await returning.wait()
        await confirming(peer)

    with anyio.fail_after(PATIENCE_S):
        async with serving(in_turn(losing, confirming_late)) as (port, peers):
            reconnect = {"max_audio_age_s": max_audio_age_s}
            async with open_session(persistent(port, reconnect=reconnect, session={"audio": BY_HAND})) as session:
                leaving.set()
                while session.link is not None:
                    await session.changes.next()
                yield session, peers, returning


async def all_ears(peer: Peer) -> None:
    """Greet and listen."""
    await peer.greet()
    await peer.to_the_end()


async def confirming(peer: Peer) -> None:
    """Greet, confirm what is committed, and answer what is asked."""
    await peer.greet()
    number = 0
    while (event := await peer.event()) is not None:
        match event["type"]:
            case "input_audio_buffer.commit":
                number += 1
                await peer.send({"type": "input_audio_buffer.committed", "item_id": f"spoken_{number}"})
            case "input_audio_buffer.clear":
                await peer.send({"type": "input_audio_buffer.cleared"})
            case "response.create":
                await peer.answer("yes", response_id=f"resp_{number}", item_id=f"item_{number}")
            case "session.update":
                await peer.send(
                    {"type": "session.updated", "session": {**peer.received[0]["session"], **event["session"]}}
                )


async def _confirm(peer: Peer, event: dict[str, Any], number: int) -> None:
    """Do what an event that is no audio asks for."""
    match event["type"]:
        case "session.update":
            session = {**peer.received[0]["session"], **event["session"]}
            await peer.send({"type": "session.updated", "session": session})
        case "input_audio_buffer.commit":
            await peer.send({"type": "input_audio_buffer.committed", "item_id": f"spoken_{number}"})
        case "response.create":
            await peer.answer("by hand")


class _Ears:
    """Turn detection: a turn ends by so much silence, and is answered."""

    def __init__(self, peer: Peer, silence_s: float, *, answers: bool) -> None:
        self._peer = peer
        self._silence_s = silence_s
        self._answers = answers
        self.is_turn = False
        self.number = 0
        self._silent = self._heard_ms = 0

    async def hear(self, pcm: bytes) -> None:
        """Hear a piece of audio."""
        for at in range(0, len(pcm), 960):
            is_loud = any(pcm[at : at + 960])
            self._heard_ms += 20
            self._silent = 0 if is_loud else self._silent + 1
            if is_loud and not self.is_turn:
                self.is_turn, self.number = True, self.number + 1
                started: dict[str, Any] = {"item_id": f"spoken_{self.number}", "audio_start_ms": self._heard_ms - 20}
                await self._peer.send({"type": "input_audio_buffer.speech_started", **started})
            elif self.is_turn and self._silent * 0.02 >= self._silence_s:
                self.is_turn = False
                stopped = {"item_id": f"spoken_{self.number}", "audio_end_ms": self._heard_ms}
                await self._peer.send({"type": "input_audio_buffer.speech_stopped", **stopped})
                await self._peer.send({"type": "input_audio_buffer.committed", "item_id": f"spoken_{self.number}"})
                if self._answers:
                    number = self.number
                    await self._peer.answer(f"answer {number}", response_id=f"resp_{number}", item_id=f"item_{number}")


def detecting(*, silence_s: float, answers: bool = True) -> Script:
    """Finds the turns in what it hears: they end by so much silence, and are answered."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        ears = _Ears(peer, silence_s, answers=answers)
        while (event := await peer.event()) is not None:
            if event["type"] == "input_audio_buffer.append":
                await ears.hear(base64.b64decode(event["audio"]))
            else:
                ears.is_turn = ears.is_turn and event["type"] != "input_audio_buffer.commit"
                await _confirm(peer, event, ears.number)

    return script


def hearing_late(*, late_s: float, silence_s: float) -> Script:
    """Finds the turns as `detecting` does, so much later than they come, and confirms everything else at once."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        ears = _Ears(peer, silence_s, answers=True)
        coming, waiting = anyio.create_memory_object_stream[tuple[float, bytes]](math.inf)

        async def hear() -> None:
            async with waiting:
                async for due_s, pcm in waiting:
                    await anyio.sleep_until(due_s)
                    await ears.hear(pcm)

        async with anyio.create_task_group() as tasks, coming:
            tasks.start_soon(hear)
            while (event := await peer.event()) is not None:
                if event["type"] == "input_audio_buffer.append":
                    await coming.send((anyio.current_time() + late_s, base64.b64decode(event["audio"])))
                else:
                    await _confirm(peer, event, ears.number)
            tasks.cancel_scope.cancel()

    return script
