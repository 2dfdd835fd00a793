"""Many sessions of rt-run or of a peer in one process, which share what their library lets them share.

A library is imported when it is chosen, so that no program carries another one's weight.
"""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from benchmarks.contenders import SESSION

if TYPE_CHECKING:
    from openai.resources.realtime.realtime import AsyncRealtimeConnection
    from websockets.asyncio.client import ClientConnection

    from runner import Session
    from runner.session.update import Update

Hear = Callable[[bytes], None]
"""Is given the PCM of each audio delta."""


class Peer(Protocol):
    """An open session that is configured."""

    async def ask(self, **metadata: str) -> None:
        """Ask for a response with this metadata."""

    async def append(self, pcm: bytes) -> None:
        """Send a piece of audio."""

    async def listen(self) -> None:
        """Hear until the session ends."""

    @property
    def close_code(self) -> int | None:
        """What the connection ended with, None while it is open."""


Opening = Callable[[Hear], AbstractAsyncContextManager[Peer]]
"""Opens one session, given who hears its audio; the end of the block closes it, with a handshake."""
House = Callable[[str], AbstractAsyncContextManager[Opening]]
"""What the sessions of a process share, for a server's base URL."""


@asynccontextmanager
async def rt_run(base_url: str) -> AsyncIterator[Opening]:
    """Sessions of rt-run over one profile."""
    from benchmarks.contenders.rt_run import profile
    from runner import open_session

    shared = profile(base_url, None)

    @asynccontextmanager
    async def opening(hear: Hear) -> AsyncIterator[Peer]:
        async with open_session(shared, readers=[reader_of(hear)]) as session:
            yield RtRun(session)

    yield opening


def reader_of(hear: Hear) -> "Callable[[Update], None]":
    """What takes each update of a session of rt-run and has its audio heard."""
    from runner.protocol.effects import AudioDelta

    def read(update: "Update") -> None:
        for effect in update.effects:
            if isinstance(effect, AudioDelta):
                hear(effect.decode())

    return read


class RtRun:
    """A session of rt-run."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._link = session.link

    async def ask(self, **metadata: str) -> None:
        """Ask for a response with this metadata."""
        await self._session.respond(metadata=metadata)

    async def append(self, pcm: bytes) -> None:
        """Send a piece of audio."""
        await self._session.append_audio(pcm)

    async def listen(self) -> None:
        """Hear until the session ends."""
        await self._session.wait_over()

    @property
    def close_code(self) -> int | None:
        """What the connection ended with, None while it is open."""
        return self._link.close_code if self._link is not None else None


@asynccontextmanager
async def websockets(base_url: str) -> AsyncIterator[Opening]:
    """Connections of `websockets`, with the standard library's JSON and base64."""
    from websockets.asyncio.client import connect

    url = websocket_url(base_url)

    @asynccontextmanager
    async def opening(hear: Hear) -> AsyncIterator[Peer]:
        async with connect(url) as connection:
            await connection.recv()
            await connection.send(json.dumps({"type": "session.update", "session": SESSION}))
            await connection.recv()
            yield _Websockets(connection, hear)

    yield opening


class _Websockets:
    def __init__(self, connection: "ClientConnection", hear: Hear) -> None:
        self._connection = connection
        self._hear = hear

    async def ask(self, **metadata: str) -> None:
        await self._connection.send(json.dumps({"type": "response.create", "response": {"metadata": metadata}}))

    async def append(self, pcm: bytes) -> None:
        audio = base64.b64encode(pcm).decode()
        await self._connection.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))

    async def listen(self) -> None:
        async for message in self._connection:
            event = json.loads(message)
            if event["type"] == "response.output_audio.delta":
                self._hear(base64.b64decode(event["delta"]))

    @property
    def close_code(self) -> int | None:
        return self._connection.close_code


@asynccontextmanager
async def openai_python(base_url: str) -> AsyncIterator[Opening]:
    """Connections of one client of the API's own library."""
    from openai import AsyncOpenAI

    @asynccontextmanager
    async def opening(hear: Hear) -> AsyncIterator[Peer]:
        async with client.realtime.connect(model="benchmark") as connection:
            await connection.recv()
            await connection.session.update(
                session={"type": "realtime", "output_modalities": SESSION["output_modalities"]}
            )
            await connection.recv()
            yield _OpenAI(connection, hear)

    async with AsyncOpenAI(api_key="none", base_url=base_url) as client:
        yield opening


class _OpenAI:
    def __init__(self, connection: "AsyncRealtimeConnection", hear: Hear) -> None:
        self._connection = connection
        self._hear = hear

    async def ask(self, **metadata: str) -> None:
        await self._connection.response.create(response={"metadata": metadata})

    async def append(self, pcm: bytes) -> None:
        await self._connection.input_audio_buffer.append(audio=base64.b64encode(pcm).decode())

    async def listen(self) -> None:
        async for event in self._connection:
            if event.type == "response.output_audio.delta":
                self._hear(base64.b64decode(event.delta))

    @property
    def close_code(self) -> int | None:
        code: int | None = self._connection._connection.close_code  # noqa: SLF001  # the library does not tell
        return code


def websocket_url(base_url: str) -> str:
    """Where a library connects that knows nothing of the API."""
    return f"{base_url.replace('http', 'ws', 1)}/realtime?model=benchmark"


def ignore(_pcm: bytes) -> None:
    """What a session hears that asks for nothing: nothing."""


HOUSES: dict[str, House] = {"rt-run": rt_run, "websockets": websockets, "openai-python": openai_python}
