"""A session whose answers are heard, with an endpoint that speaks and hears exactly as a script says."""

import base64
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from runner.errors import RunnerError
from runner.outputs.opener import open_outputs
from runner.outputs.outputs import Outputs
from runner.outputs.standard_output import StandardOutput
from runner.profile.session_source import SessionProfile
from runner.protocol.session_update import session_update
from runner.session.opening import kept_session
from runner.session.session import Session
from tests.helpers.endpoint_scripts import PATIENCE_S, in_turn, persistent
from tests.helpers.peer import Peer, Script, serving
from tests.helpers.virtual_time import in_steps

RATE = 24_000
NAMES = {"profile": "p", "run_id": "r", "started": "s", "session": "1"}
HEARING = {"type": "server_vad"}


def ramp(ms: int, *, first: int = 0) -> bytes:
    """Samples of which each shows its place, as far as 15 bits can."""
    return array("h", ((first + index) % 30_000 + 1 for index in range(ms * RATE // 1000))).tobytes()


async def speak(
    peer: Peer,
    pcm: bytes,
    text: str,
    *,
    number: int = 1,
    delta_ms: int = 100,
    pace: float = 0.0,
    end: bool = True,
    content_index: int = 0,
    conversation: str | None = "c",
) -> None:
    """Say something, with `pace` times real time between the deltas."""
    response_id, item_id = f"resp_{number}", f"item_{number}"
    ids = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": content_index}
    response = {"id": response_id, "conversation_id": conversation}
    item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    await peer.send({"type": "response.created", "response": response})
    await peer.send({"type": "response.output_item.added", "response_id": response_id, "item": item})
    await peer.send({"type": "response.output_audio_transcript.delta", "delta": text, **ids})
    size = delta_ms * RATE * 2 // 1000
    for start in range(0, len(pcm), size):
        audio = base64.b64encode(pcm[start : start + size]).decode()
        await peer.send({"type": "response.output_audio.delta", "delta": audio, **ids})
        await anyio.sleep(pace * delta_ms / 1000)
    if end:
        await ended(peer, text, number=number)


async def ended(peer: Peer, text: str, *, number: int = 1, status: str = "completed") -> None:
    """End what was being said."""
    content = [{"type": "output_audio", "transcript": text}]
    item = {"id": f"item_{number}", "type": "message", "role": "assistant", "content": content}
    item["status"] = "completed" if status == "completed" else "incomplete"
    done = {"id": f"resp_{number}", "status": status, "output": [item], "conversation_id": "c"}
    await peer.send({"type": "response.done", "response": done})


async def barge_in(peer: Peer) -> None:
    """Detect that the user begins to speak."""
    await peer.send({"type": "input_audio_buffer.speech_started", "item_id": "item_user", "audio_start_ms": 0})


async def obey(peer: Peer) -> None:
    """Do what the client asks for, up to its end."""
    while (event := await peer.event()) is not None:
        match event:
            case {"type": "conversation.item.truncate", "item_id": item, "audio_end_ms": heard}:
                truncated = {"item_id": item, "content_index": event["content_index"], "audio_end_ms": heard}
                await peer.send({"type": "conversation.item.truncated", **truncated})
            case {"type": "conversation.item.delete", "item_id": item}:
                await peer.send({"type": "conversation.item.deleted", "item_id": item})
            case {"type": "conversation.item.create", "item": item}:
                previous = event.get("previous_item_id")
                await peer.send({"type": "conversation.item.added", "previous_item_id": previous, "item": item})
                await peer.send({"type": "conversation.item.done", "previous_item_id": previous, "item": item})
            case _:
                pass


def sent(peer: Peer, kind: str) -> list[dict[str, Any]]:
    """What the client has sent of this type."""
    return [each for each in peer.received if each["type"] == kind]


@dataclass
class Heard:
    """A session that is heard."""

    session: Session
    outlets: Outputs
    peers: list[Peer]
    failures: list[RunnerError] = field(default_factory=list)


@asynccontextmanager
async def heard(
    outputs: Sequence[dict[str, Any]],
    *scripts: Script,
    turn_detection: dict[str, Any] | None = HEARING,
    audio: dict[str, Any] | None = None,
    **run: Any,
) -> AsyncIterator[Heard]:
    """A session with these outputs; when the body is left it is closed, and everything is written."""
    settings = {"input": {"turn_detection": turn_detection or "none"}, **(audio or {})}
    asked = {"output_modalities": ["audio"], "audio": settings}
    failures: list[RunnerError] = []
    with anyio.fail_after(PATIENCE_S):
        async with in_steps(), serving(in_turn(*scripts)) as (port, peers):
            profile = persistent(port, session=asked, **run)
            profile = type(profile).model_validate({**profile.model_dump(exclude_unset=True), "outputs": outputs})
            stdout, wanted = StandardOutput(is_shared=False), session_update(profile)["session"]
            outlets = await open_outputs(profile, NAMES, failures.append, stdout, asked=wanted)
            async with anyio.create_task_group() as tasks:
                outlets.start(tasks)
                source = SessionProfile(profile)
                async with kept_session(source, readers=outlets.readers, opened=outlets.begin) as session:
                    yield Heard(session, outlets, peers, failures)
                outlets.close()
                await outlets.written(anyio.CancelScope(), within_s=5)
                tasks.cancel_scope.cancel()


def wav(path: Path, track: str = "output") -> dict[str, Any]:
    """A recording."""
    return {"kind": "audio", "path": str(path), "track": track}


def transcript(path: Path, form: str = "json") -> dict[str, Any]:
    """A transcript."""
    return {"kind": "transcript", "path": str(path), "format": form}
