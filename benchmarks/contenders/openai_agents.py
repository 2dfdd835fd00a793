"""openai-agents: the model layer of its realtime sessions, with a listener."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agents.realtime import (
    OpenAIRealtimeWebSocketModel,
    RealtimeModelAudioEvent,
    RealtimeModelEvent,
    RealtimeModelListener,
    RealtimeModelOutputTextDeltaEvent,
    RealtimeModelSendAudio,
    RealtimeModelSendRawMessage,
)
from agents.realtime.model_events import RealtimeModelRawServerEvent

from benchmarks.contenders import Awaited, Client, Received, counted


class _Listener(RealtimeModelListener):
    def __init__(self) -> None:
        self.awaited = Awaited()

    async def on_event(self, event: RealtimeModelEvent) -> None:
        received = self.awaited.received
        if isinstance(event, RealtimeModelAudioEvent):
            received.events += 1
            received.size_bytes += len(event.data)
        elif isinstance(event, RealtimeModelOutputTextDeltaEvent):
            received.events += 1
            received.size_bytes += len(event.delta)
        elif isinstance(event, RealtimeModelRawServerEvent):
            self.awaited.other(event.data)


class _Client:
    def __init__(self, model: OpenAIRealtimeWebSocketModel, awaited: Awaited) -> None:
        self._model = model
        self._awaited = awaited

    async def answer(self, metadata: dict[str, str]) -> Received:
        request = {"response": {"metadata": metadata}}
        await self._model.send_event(RealtimeModelSendRawMessage({"type": "response.create", "other_data": request}))
        return await self._awaited.answer()

    async def send_audio(self, pcm: bytes, events: int) -> int:
        for number in range(events):
            await self._model.send_event(RealtimeModelSendAudio(audio=pcm, commit=number == events - 1))
        return counted((await self._awaited.end())["item_id"])

    async def round_trip(self) -> None:
        await self._model.send_event(RealtimeModelSendRawMessage({"type": "input_audio_buffer.clear"}))
        await self._awaited.end()


@asynccontextmanager
async def connected(base_url: str, _ca_file: str | None) -> AsyncIterator[Client]:
    """A client whose session is configured."""
    model, listener = OpenAIRealtimeWebSocketModel(), _Listener()
    model.add_listener(listener)
    url = f"{base_url.replace('http', 'ws', 1)}/realtime?model=benchmark"
    await model.connect({"api_key": "none", "url": url, "initial_model_settings": {"tracing": None}})
    yield _Client(model, listener.awaited)
    await model.close()
