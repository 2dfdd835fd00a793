"""rt-run's Python API as `async for event in session.events()`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pybase64

from benchmarks.contenders import Client, Received, counted
from benchmarks.contenders.rt_run import profile
from runner import Session, open_session


class _Client:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._events = session.events()

    async def answer(self, metadata: dict[str, str]) -> Received:
        received = Received()
        await self._session.respond(metadata=metadata)
        async for event in self._events:
            if event["type"] == "response.output_audio.delta":
                received.events += 1
                received.size_bytes += len(pybase64.b64decode(event["delta"], validate=True))
            elif event["type"] == "response.output_text.delta":
                received.events += 1
                received.size_bytes += len(event["delta"])
            elif event["type"] == "response.done":
                break
        return received

    async def send_audio(self, pcm: bytes, events: int) -> int:
        for _ in range(events):
            await self._session.append_audio(pcm)
        await self._session.send({"type": "input_audio_buffer.commit"})
        return counted((await anext(self._events))["item_id"])

    async def round_trip(self) -> None:
        await self._session.send({"type": "input_audio_buffer.clear"})
        assert (await anext(self._events))["type"] == "input_audio_buffer.cleared"


@asynccontextmanager
async def connected(base_url: str, ca_file: str | None) -> AsyncIterator[Client]:
    """A client whose session is configured."""
    async with open_session(profile(base_url, ca_file)) as session:
        yield _Client(session)
