"""The byte stream of one connection to the local endpoint, and the faults that can be injected into it."""

import contextlib
from typing import Final

import anyio
from anyio.abc import ByteStream

EXTENSION: Final = "rt_run.wire"
"""The ASGI extension by which rt-run's own server hands the `FaultyStream` of a WebSocket to the application."""

_WRITE_TIMEOUT_S: Final = 30.0
_DRIPS_PER_S: Final = 10


class FaultyStream(ByteStream):
    """A byte stream that can be cut, stalled in either direction and slowed down; concurrent writes never mix.

    Args:
        stream: The stream that carries the bytes.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._sending = anyio.Lock()
        self._reads = True
        self._sends = True
        self._bytes_per_s: int | None = None

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Receive up to `max_bytes` bytes, at least one; after `stop_reading` this waits for ever."""
        # A read that waits already is not cancelled: on asyncio, that would leave the socket being read.
        data = await self._stream.receive(max_bytes) if self._reads else b""
        if not self._reads:
            await anyio.sleep_forever()
        return data

    async def send(self, item: bytes) -> None:
        """Send bytes at the pace of `drip`; after `stop_sending` they are dropped.

        Raises:
            TimeoutError: The client has read nothing for half a minute.
        """
        async with self._sending:
            pace = self._bytes_per_s
            step = max(1, pace // _DRIPS_PER_S) if pace else max(1, len(item))
            for start in range(0, len(item), step):
                if not self._sends:
                    return
                piece = item[start : start + step]
                with anyio.fail_after(_WRITE_TIMEOUT_S):
                    await self._stream.send(piece)
                if pace:
                    await anyio.sleep(len(piece) / pace)

    async def send_eof(self) -> None:
        """End the sending direction of the stream."""
        # TLS has no such end: the length of what was sent says that it is whole.
        with contextlib.suppress(NotImplementedError):
            await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()

    async def cut(self) -> None:
        """Close the stream at once, without a closing handshake."""
        await anyio.aclose_forcefully(self._stream)

    def stop_reading(self) -> None:
        """Stop reading, so that the client's writes stall."""
        self._reads = False

    def stop_sending(self) -> None:
        """Drop all that is sent from now on; the stream still receives."""
        self._sends = False

    def drip(self, bytes_per_s: int) -> None:
        """Send slowly from now on, in bytes a second."""
        self._bytes_per_s = bytes_per_s
