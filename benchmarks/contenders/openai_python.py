"""openai-python: typed events of its asynchronous realtime connection."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from benchmarks.contenders import SESSION, Client, Received, counted


class _Client:
    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self._connection = connection

    async def answer(self, metadata: dict[str, str]) -> Received:
        received = Received()
        await self._connection.response.create(response={"metadata": metadata})
        async for event in self._connection:
            if event.type == "response.output_audio.delta":
                received.events += 1
                received.size_bytes += len(base64.b64decode(event.delta))
            elif event.type == "response.output_text.delta":
                received.events += 1
                received.size_bytes += len(event.delta)
            elif event.type == "response.done":
                break
        return received

    async def send_audio(self, pcm: bytes, events: int) -> int:
        for _ in range(events):
            await self._connection.input_audio_buffer.append(audio=base64.b64encode(pcm).decode())
        await self._connection.input_audio_buffer.commit()
        event = await self._connection.recv()
        assert event.type == "input_audio_buffer.committed"
        return counted(event.item_id)

    async def round_trip(self) -> None:
        await self._connection.input_audio_buffer.clear()
        event = await self._connection.recv()
        assert event.type == "input_audio_buffer.cleared"


@asynccontextmanager
async def connected(base_url: str, _ca_file: str | None) -> AsyncIterator[Client]:
    """A client whose session is configured."""
    client = AsyncOpenAI(api_key="none", base_url=base_url)
    async with client.realtime.connect(model="benchmark") as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": SESSION["output_modalities"]})
        async for event in connection:
            if event.type == "session.updated":
                break
        yield _Client(connection)
