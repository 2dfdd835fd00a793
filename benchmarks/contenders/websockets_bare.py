"""`websockets` with the standard library's JSON and base64."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.contenders import SESSION, Client, Received, counted


class _Client:
    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket

    async def answer(self, metadata: dict[str, str]) -> Received:
        received = Received()
        await self._websocket.send(json.dumps({"type": "response.create", "response": {"metadata": metadata}}))
        async for message in self._websocket:
            event = json.loads(message)
            if event["type"] == "response.output_audio.delta":
                received.events += 1
                received.size_bytes += len(base64.b64decode(event["delta"]))
            elif event["type"] == "response.output_text.delta":
                received.events += 1
                received.size_bytes += len(event["delta"])
            elif event["type"] == "response.done":
                break
        return received

    async def send_audio(self, pcm: bytes, events: int) -> int:
        for _ in range(events):
            audio = base64.b64encode(pcm).decode()
            await self._websocket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        await self._websocket.send(json.dumps({"type": "input_audio_buffer.commit"}))
        return counted(json.loads(await self._websocket.recv())["item_id"])

    async def round_trip(self) -> None:
        await self._websocket.send(json.dumps({"type": "input_audio_buffer.clear"}))
        assert json.loads(await self._websocket.recv())["type"] == "input_audio_buffer.cleared"


@asynccontextmanager
async def connected(base_url: str, _ca_file: str | None) -> AsyncIterator[Client]:
    """A client whose session is configured."""
    async with connect(f"{base_url.replace('http', 'ws', 1)}/realtime?model=benchmark") as websocket:
        await websocket.send(json.dumps({"type": "session.update", "session": SESSION}))
        async for message in websocket:
            if json.loads(message)["type"] == "session.updated":
                break
        yield _Client(websocket)
