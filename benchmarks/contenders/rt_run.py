"""rt-run's Python API with a reader, which is called with each event."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.contenders import Awaited, Client, Received, counted
from runner import LoadedProfile, Session, load_profile, open_session
from runner.protocol.effects import AudioDelta, TextDelta
from runner.session.update import Update

_PROFILE = """
version = 1
[endpoint]
kind = "custom"
base_url = "{base_url}"
{more}
[model]
name = "benchmark"
"""


class _Reader:
    def __init__(self) -> None:
        self.awaited = Awaited()

    def read(self, update: Update) -> None:
        received = self.awaited.received
        for effect in update.effects:
            if isinstance(effect, AudioDelta):
                received.events += 1
                received.size_bytes += len(effect.decode())
                return
            if isinstance(effect, TextDelta):
                received.events += 1
                received.size_bytes += len(effect.text)
                return
        if update.event is not None:
            self.awaited.other(update.event)


class _Client:
    def __init__(self, session: Session, awaited: Awaited) -> None:
        self._session = session
        self._awaited = awaited

    async def answer(self, metadata: dict[str, str]) -> Received:
        await self._session.respond(metadata=metadata)
        return await self._awaited.answer()

    async def send_audio(self, pcm: bytes, events: int) -> int:
        for _ in range(events):
            await self._session.append_audio(pcm)
        await self._session.send({"type": "input_audio_buffer.commit"})
        return counted((await self._awaited.end())["item_id"])

    async def round_trip(self) -> None:
        await self._session.send({"type": "input_audio_buffer.clear"})
        await self._awaited.end()


def profile(base_url: str, ca_file: str | None) -> LoadedProfile:
    """A profile of the benchmark's server."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "benchmark.toml")
        path.write_text(_PROFILE.format(base_url=base_url, more=f'ca_file = "{ca_file}"' if ca_file else ""))
        return load_profile(str(path))


@asynccontextmanager
async def connected(base_url: str, ca_file: str | None) -> AsyncIterator[Client]:
    """A client whose session is configured."""
    reader = _Reader()
    async with open_session(profile(base_url, ca_file), readers=[reader.read]) as session:
        yield _Client(session, reader.awaited)
