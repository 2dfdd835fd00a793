"""What an endpoint of the Live API does with a session, for scripts of a `Peer`."""

import base64
import struct
from typing import Any

from tests.helpers.peer import Peer

FRAME_MS = 100
LOUD = base64.b64encode(struct.pack("<h", 8000) * 2400).decode()
"""A tenth of a second of sound, at 24 kHz."""
SILENT = base64.b64encode(bytes(4800)).decode()
"""A tenth of a second of silence."""


async def start(peer: Peer, *, expires_at: int = 0, session_id: str = "live_test", **session: Any) -> dict[str, Any]:
    """Start a session as an endpoint does; returns what it was asked to be."""
    asked = await peer.until("session.start")
    effective = {"id": session_id, "status": "active", "expires_at": expires_at, **asked["session"], **session}
    await peer.send({"type": "session.started", "event_id": "event_1", "session": effective})
    return dict(asked["session"])


def words(voice: str, delta: str, start_ms: int, end_ms: int) -> dict[str, Any]:
    """A piece of what `input` or `output` says."""
    return {
        "type": f"session.{voice}_transcript.delta",
        "event_id": "e",
        "delta": delta,
        "start_ms": start_ms,
        "end_ms": end_ms,
    }


def sound(audio: str = LOUD) -> dict[str, Any]:
    """A piece of what is heard of the model."""
    return {"type": "session.output_audio.delta", "delta": audio}


def confirmed(event: dict[str, Any]) -> dict[str, Any]:
    """The confirmation of a text that was appended."""
    kind = f"{event['type']}ed"
    return {"type": kind, "event_id": "e", "client_event_id": event["event_id"], "start_ms": 0, "end_ms": 0}


async def close(peer: Peer, *, reason: str = "close_requested", seconds: float = 1.0) -> None:
    """End a session once the client asks for it."""
    await peer.until("session.close")
    await closed(peer, reason=reason, seconds=seconds)
    await peer.to_the_end()


async def closed(peer: Peer, *, reason: str = "close_requested", seconds: float = 1.0) -> None:
    """Say that a session has ended."""
    session = {"id": "live_test", "status": "active", "expires_at": 0, "model": "gpt-live-1.1"}
    usage = {"seconds": seconds}
    await peer.send({"type": "session.closed", "event_id": "e", "reason": reason, "session": session, "usage": usage})


def nested(delegation_id: str, kind: str, **fields: Any) -> dict[str, Any]:
    """An event of the Responses model behind a session."""
    event = {"type": kind, **fields}
    return {"type": "response.event", "event_id": "e", "delegation_id": delegation_id, "event": event}


async def delegate(peer: Peer, delegation_id: str, *calls: tuple[str, str], response_id: str = "resp_1") -> None:
    """Delegate to the Responses model, which calls these functions with these arguments."""
    delegation = {"id": delegation_id, "type": "delegation", "target": "responses", "response_id": response_id}
    await peer.send({"type": "session.delegation.created", "event_id": "e", "delegation": delegation, "offset_ms": 0})
    await respond(peer, delegation_id, *calls, response_id=response_id)


async def respond(peer: Peer, delegation_id: str, *calls: tuple[str, str], response_id: str = "resp_1") -> None:
    """A response of the Responses model, which calls these functions with these arguments."""
    await peer.send(nested(delegation_id, "response.created", response={"id": response_id}))
    for number, (name, arguments) in enumerate(calls):
        item = {
            "type": "function_call",
            "id": f"fc_{response_id}_{number}",
            "call_id": f"call_{response_id}_{number}",
            "name": name,
            "arguments": arguments,
            "status": "completed",
        }
        await peer.send(nested(delegation_id, "response.output_item.done", output_index=number, item=item))
    usage = {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5}
    await peer.send(
        nested(delegation_id, "response.completed", response={"id": response_id, "output": [], "usage": usage})
    )
