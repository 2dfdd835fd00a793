"""Live sessions of rt-run and of openai-python, many in one process.

The server sends audio from the start of a session on, so that nothing has to be asked for.
"""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from benchmarks.crowds.peers import Hear, House, Opening, Peer, RtRun, reader_of

if TYPE_CHECKING:
    from openai.resources.live.live import AsyncLiveConnection

    from runner import Session


@asynccontextmanager
async def rt_run(base_url: str) -> AsyncIterator[Opening]:
    """Live sessions of rt-run over one profile."""
    from runner import make_profile, open_session

    endpoint = {"kind": "custom", "base_url": base_url}
    shared = make_profile(endpoint=endpoint, model={"name": "benchmark"}, session={"type": "live"})

    @asynccontextmanager
    async def opening(hear: Hear) -> AsyncIterator[Peer]:
        async with open_session(shared, readers=[reader_of(hear)]) as session:
            yield _LiveRtRun(session)

    yield opening


class _LiveRtRun(RtRun):
    def __init__(self, session: "Session") -> None:
        super().__init__(session)

    async def ask(self, **_metadata: str) -> None:
        pass


@asynccontextmanager
async def openai_python(base_url: str) -> AsyncIterator[Opening]:
    """Live connections of one client of the API's own library."""
    from openai import AsyncOpenAI

    @asynccontextmanager
    async def opening(hear: Hear) -> AsyncIterator[Peer]:
        async with client.live.connect() as connection:
            await connection.session.start(session={"model": "benchmark"})
            await connection.recv()
            yield _LiveOpenAI(connection, hear)

    async with AsyncOpenAI(api_key="none", base_url=base_url) as client:
        yield opening


class _LiveOpenAI:
    def __init__(self, connection: "AsyncLiveConnection", hear: Hear) -> None:
        self._connection = connection
        self._hear = hear

    async def ask(self, **_metadata: str) -> None:
        pass

    async def append(self, pcm: bytes) -> None:
        await self._connection.session.input_audio.append(audio=base64.b64encode(pcm).decode())

    async def listen(self) -> None:
        async for event in self._connection:
            if event.type == "session.output_audio.delta":
                self._hear(base64.b64decode(event.delta))

    @property
    def close_code(self) -> int | None:
        code: int | None = self._connection._connection.close_code  # noqa: SLF001  # the library does not tell
        return code


LIVE_HOUSES: dict[str, House] = {"rt-run-live": rt_run, "openai-python-live": openai_python}
