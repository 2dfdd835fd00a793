"""Endpoints that hear, for scripts of `tests.helpers.peer`, and recordings for them."""

import base64
import math
import struct
import wave
from pathlib import Path
from typing import Any

from tests.helpers.peer import Peer, Script

RATE = 24_000


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


async def at_once() -> None:
    """Nothing waits to be shown."""


async def all_ears(peer: Peer) -> None:
    """Greet and listen."""
    await peer.greet()
    await peer.to_the_end()


async def confirming(peer: Peer) -> None:
    """Greet, confirm what is committed, and answer what is asked."""
    await peer.greet()
    await answering(peer)


async def answering(peer: Peer) -> None:
    """Confirm what is committed, and answer what is asked."""
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


def detecting(*, silence_s: float, answers: bool = True) -> Script:
    """Finds the turns in what it hears: they end by so much silence, and are answered."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        turn, silent, number = False, 0, 0
        while (event := await peer.event()) is not None:
            if event["type"] != "input_audio_buffer.append":
                turn = turn and event["type"] != "input_audio_buffer.commit"
                await _confirm(peer, event, number)
                continue
            pcm = base64.b64decode(event["audio"])
            for at in range(0, len(pcm), 960):
                is_loud = any(pcm[at : at + 960])
                silent = 0 if is_loud else silent + 1
                if is_loud and not turn:
                    turn, number = True, number + 1
                    started: dict[str, Any] = {"item_id": f"spoken_{number}", "audio_start_ms": 0}
                    await peer.send({"type": "input_audio_buffer.speech_started", **started})
                elif turn and silent * 0.02 >= silence_s:
                    turn = False
                    stopped = {"item_id": f"spoken_{number}", "audio_end_ms": 0}
                    await peer.send({"type": "input_audio_buffer.speech_stopped", **stopped})
                    await peer.send({"type": "input_audio_buffer.committed", "item_id": f"spoken_{number}"})
                    if answers:
                        await peer.answer(f"answer {number}", response_id=f"resp_{number}", item_id=f"item_{number}")

    return script
