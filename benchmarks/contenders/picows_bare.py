"""picows with the decoders that rt-run uses: the floor, on which nothing is known of a session."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pybase64
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from pydantic_core import from_json

from benchmarks.contenders import SESSION, Awaited, Client, Received, counted


class _Listener(WSListener):
    def __init__(self) -> None:
        super().__init__()
        self.awaited = Awaited()
        self.ready = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        event = from_json(frame.get_payload_as_bytes())
        kind, received = event["type"], self.awaited.received
        if kind == "response.output_audio.delta":
            received.events += 1
            received.size_bytes += len(pybase64.b64decode(event["delta"], validate=True))
        elif kind == "response.output_text.delta":
            received.events += 1
            received.size_bytes += len(event["delta"])
        elif kind == "session.updated":
            self.ready.set()
        else:
            self.awaited.other(event)


class _Client:
    def __init__(self, transport: WSTransport, listener: _Listener) -> None:
        self._transport = transport
        self._listener = listener
        self._awaited = listener.awaited

    async def answer(self, metadata: dict[str, str]) -> Received:
        _send(self._transport, {"type": "response.create", "response": {"metadata": metadata}})
        return await self._awaited.answer()

    async def send_audio(self, pcm: bytes, events: int) -> int:
        for _ in range(events):
            await self._listener.writable.wait()
            audio = pybase64.b64encode_as_string(pcm)
            _send(self._transport, {"type": "input_audio_buffer.append", "audio": audio})
        _send(self._transport, {"type": "input_audio_buffer.commit"})
        return counted((await self._awaited.end())["item_id"])

    async def round_trip(self) -> None:
        _send(self._transport, {"type": "input_audio_buffer.clear"})
        await self._awaited.end()


def _send(transport: WSTransport, event: Mapping[str, Any]) -> None:
    transport.send(WSMsgType.TEXT, json.dumps(event).encode())


@asynccontextmanager
async def connected(base_url: str, _ca_file: str | None) -> AsyncIterator[Client]:
    """A client whose session is configured."""
    url = f"{base_url.replace('http', 'ws', 1)}/realtime?model=benchmark"
    transport, listener = await ws_connect(_Listener, url)
    assert isinstance(listener, _Listener)
    _send(transport, {"type": "session.update", "session": SESSION})
    await listener.ready.wait()
    yield _Client(transport, listener)
    transport.send_close()
    await transport.wait_disconnected()
