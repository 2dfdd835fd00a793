"""What the server says: the API's events with all of their fields, as WebSocket frames that are encoded once."""

import base64
import functools
import json
import random
from collections.abc import Iterator
from typing import Any

AUDIO_BYTES = 4800
"""One audio delta holds 100 ms of PCM16 at 24 kHz: 6,400 characters of base64."""
SAID = "One two three."
"""What every transcription says."""
TEXT = " benchmark"
"""What one text delta says."""
_LIVE_DELTAS = 50
_RESPONSE_ID, _ITEM_ID = "resp_CxbMqqHCUPtBZlHkFM9Ws", "item_CxbMq9aGvWV3l1lYGkD3c"
_SESSION = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_CxbMp2bnMvD4dW6BL9cTZ",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "expires_at": 4102444800,
    "audio": {
        "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": None},
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
    },
}
_KINDS = {
    "audio": ("response.output_audio", {"transcript": ""}),
    "text": ("response.output_text", {"text": ""}),
}


def frame(payload: bytes, opcode: int = 1) -> bytes:
    """One unmasked frame, whole."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 1 << 16:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def event(kind: str, number: int = 0, **fields: Any) -> bytes:
    """One server event as a frame."""
    whole = {"type": kind, "event_id": f"event_CxbMq{number:016d}", **fields}
    return frame(json.dumps(whole, separators=(",", ":")).encode())


def greeting(kind: str) -> bytes:
    """The frame of `session.created` or `session.updated`."""
    return event(kind, session=_SESSION)


def transcription(item_id: str) -> bytes:
    """The frame that says what was said."""
    usage = {"type": "tokens", "total_tokens": 30, "input_tokens": 26, "output_tokens": 4}
    kind = "conversation.item.input_audio_transcription.completed"
    return event(kind, item_id=item_id, content_index=0, transcript=SAID, usage=usage)


def live(kind: str, **fields: Any) -> bytes:
    """The frame of an event that shows a Live session."""
    session = {"id": _SESSION["id"], "status": "active", "model": "benchmark", "expires_at": _SESSION["expires_at"]}
    return event(kind, session=session, **fields)


@functools.cache
def live_audio() -> tuple[bytes, ...]:
    """The frames of what a Live session sounds like, over and over."""
    return tuple(
        event("session.output_audio.delta", number, delta=delta)
        for number, delta in enumerate(_deltas("audio", _LIVE_DELTAS))
    )


@functools.lru_cache(maxsize=8)
def answer(kind: str, events: int) -> tuple[bytes, ...]:
    """The frames of one whole answer.

    Args:
        kind: `audio` or `text`.
        events: How many deltas it has; no two are the same.
    """
    stem, part = _KINDS[kind]
    content = {"type": f"output_{kind}", **part}
    place = {"response_id": _RESPONSE_ID, "item_id": _ITEM_ID, "output_index": 0, "content_index": 0}
    at = {"response_id": _RESPONSE_ID, "output_index": 0}
    item = {"id": _ITEM_ID, "object": "realtime.item", "type": "message", "role": "assistant"}
    return (
        event("response.created", 1, response=_response("in_progress", [])),
        event("response.output_item.added", 2, **at, item={**item, "status": "in_progress", "content": []}),
        event("response.content_part.added", 3, **place, part={"type": kind, **part}),
        *(
            event(f"{stem}.delta", 4 + number, **place, delta=delta)
            for number, delta in enumerate(_deltas(kind, events))
        ),
        event(
            "response.output_item.done", 5 + events, **at, item={**item, "status": "completed", "content": [content]}
        ),
        event("response.done", 6 + events, response=_response("completed", [{**item, "status": "completed"}])),
    )


def _deltas(kind: str, events: int) -> Iterator[str]:
    source = random.Random(events)  # noqa: S311  # reproducible sound, no secret
    for _ in range(events):
        yield base64.b64encode(source.randbytes(AUDIO_BYTES)).decode() if kind == "audio" else TEXT


def _response(status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "object": "realtime.response",
        "id": _RESPONSE_ID,
        "status": status,
        "status_details": None,
        "output": [{**item, "content": []} for item in output],
        "conversation_id": "conv_CxbMpZ3uZ4ZQ8T4F6sWrv",
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"}},
        "usage": None,
        "metadata": None,
    }
