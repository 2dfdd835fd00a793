"""A WebSocket session that is pulled: no task and no queue stands between the network and whoever receives."""

import contextlib
from collections import deque
from collections.abc import AsyncIterator

import anyio
import httpcore
import httpx
import httpx_ws

from runner.connect import frames
from runner.connect.controls import Controls
from runner.connect.keepalive import Keepalive
from runner.connect.network import Wire
from runner.errors import EndpointUnreachable, RunnerError
from runner.protocol.severity import error_for_close

CLOSE_TIMEOUT_S = 5.0
_HASTY_CLOSE_TIMEOUT_S = _LAST_WORDS_S = 1.0
_LINGER_S = 0.5


class Closed(Exception):  # the end that was asked for is no error
    """The connection is over because this side closed it."""


class WebSocket(httpx_ws.AsyncWebSocketSession):
    """One open connection; whoever calls `receive` reads from the network, answers pings and notices the end.

    No inherited method is meant to be used. The first thing that ends the connection is remembered, and every later
    call raises it: `Closed` after our own `close`, else one of the project's errors.

    Attributes:
        close_code: The code of the peer's close frame, 1006 if the connection ended without one, None while open.
        close_reason: The text of the peer's close frame.
    """

    def __init__(
        self,
        stream: httpcore.AsyncNetworkStream,
        *,
        max_message_size_bytes: int = 16 * 1024 * 1024,
        queue_size: int = 0,
        keepalive_ping_interval_seconds: float | None = 20.0,
        keepalive_ping_timeout_seconds: float | None = 20.0,
        response: httpx.Response | None = None,
    ) -> None:
        super().__init__(stream, queue_size=queue_size, response=response)
        self._wire = Wire(stream)
        self.close_code: int | None = None
        self.close_reason = ""
        self._reader = frames.FrameReader(max_message_size_bytes)
        self._keepalive = Keepalive(
            keepalive_ping_interval_seconds,
            keepalive_ping_timeout_seconds,
            attend=self._attend,
            ping=lambda: self._owe("ping", frames.encode_ping()),
        )
        self._minding = anyio.CancelScope()
        self._inbox: deque[frames.Message] = deque()
        self._limit_bytes = self._room_bytes = max_message_size_bytes
        self._reading = anyio.Lock(fast_acquire=True)
        self._writing = anyio.Lock()
        self._end: RunnerError | Closed | None = None
        self._asked = self._answering = False
        self._controls = Controls(on_ping=self._keepalive.sent)

    @contextlib.asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncIterator["WebSocket"]:
        failure: BaseException | None = None
        async with anyio.create_task_group() as self._tasks:
            timeout_s = _HASTY_CLOSE_TIMEOUT_S
            self._tasks.start_soon(self._mind)
            try:
                yield self
                timeout_s = CLOSE_TIMEOUT_S
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as error:  # noqa: BLE001  # raised below, where no task group wraps it
                failure = error
            finally:
                self._minding.cancel()
                with anyio.CancelScope(shield=True):
                    await self.close(timeout_s=timeout_s)
        if failure is not None:
            raise failure

    async def receive(self) -> frames.Message:  # type: ignore[override]  # messages, not wsproto's events
        """The next message; a cancelled call loses nothing.

        Raises:
            Closed: This side closed the connection.
            RunnerError: The peer closed it, broke the rules or was lost.
        """
        while not self._inbox:
            self._raise_if_ended()
            async with self._reading:
                if not self._inbox and self._end is None:
                    self._room_bytes = self._limit_bytes
                    await self._pull()
        return self._inbox.popleft()

    async def send(self, message: frames.Message) -> None:  # type: ignore[override]  # messages, not wsproto's events
        """Send one message, text as `str` and binary as `bytes`; it goes out whole or the connection ends.

        Raises:
            Closed: This side closed the connection.
            RunnerError: The connection has ended, or the peer took no data for the ping timeout.
        """
        await self._send(frames.encode_text(message) if isinstance(message, str) else frames.encode_binary(message))

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message; raises as `send` does."""
        await self._send(frames.encode_binary(data))

    async def send_text(self, data: str | bytes) -> None:
        """Send a text message, which may be encoded already; raises as `send` does."""
        await self._send(frames.encode_text(data))

    async def close(self, code: int = 1000, reason: str | None = None, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Say goodbye, read on until the peer has said it too, and hang up; messages that still come can be received.

        Args:
            code: The close code, 1000 for a normal end.
            reason: At most 123 bytes; what is longer is cut.
            timeout_s: Bound on all of it, in seconds; afterwards the connection is cut.
        """
        farewell = frames.encode_close(code, reason or "")
        try:
            with anyio.move_on_after(timeout_s) as scope:
                async with self._writing:
                    if self._end is None and not self._controls.is_close_sent:
                        self._asked = True
                        self._controls.owe("close", farewell)
                    if self._controls.is_close_due:
                        await self._put(self._controls.next(is_over=False), scope.deadline - anyio.current_time())
                await self._read_to_the_end()
                async with self._reading:
                    await self._wire.linger(_LINGER_S)
        finally:
            self._asked = self._asked or self._end is None
            self._finish(Closed())
            await self._wire.release()

    def _raise_if_ended(self) -> None:
        if self._end is not None:
            raise self._end.with_traceback(None)

    def _finish(self, end: RunnerError | Closed, *, answer_code: int = 0) -> None:
        """Remember the first end, and owe the peer a close frame with the code of the answer."""
        if self._end is None:
            self._end = Closed("the connection was closed by this side") if self._asked else end
            self.close_code = self.close_code or 1006
            self._minding.cancel()
        if answer_code and not self._controls.is_close_sent:
            self._owe("close", frames.encode_close(answer_code))

    async def _pull(self) -> None:
        """Read once and sort what came; needs `_reading`. Nothing is awaited between the read and the inbox."""
        data = await self._wire.read()
        if not data:
            self._finish(error_for_close(1006, ""))
            self._tasks.start_soon(self._wire.release)
            return
        self._keepalive.heard()
        self._room_bytes -= len(data)
        self._reader.feed(data)
        try:
            for event in self._reader:
                if isinstance(event, (str, bytes)):
                    self._inbox.append(event)
                elif isinstance(event, frames.Ping):
                    self._owe("pong", frames.encode_pong(event.payload))
                elif isinstance(event, frames.Close):
                    self.close_code, self.close_reason = event.code, event.reason
                    self._finish(error_for_close(event.code, event.reason), answer_code=event.code)
        except frames.BrokenFrames as error:
            self._finish(error, answer_code=error.close_code)

    async def _send(self, frame: bytes) -> None:
        self._raise_if_ended()
        async with self._writing:
            self._raise_if_ended()
            if self._controls.is_close_sent:
                raise Closed("the connection is being closed by this side")
            if not await self._put(frame, self._keepalive.timeout_s):
                self._raise_if_ended()

    async def _put(self, frame: bytes, within_s: float) -> bool:
        """Write one whole frame or end the connection, since nothing can follow half a frame; needs `_writing`."""
        try:
            outcome = await self._wire.write(frame, within_s)
        except BaseException:
            self._finish(EndpointUnreachable("the connection was given up in the middle of a message"))
            self._tasks.start_soon(self._wire.release)
            raise
        if outcome == "whole":
            return True
        if outcome == "lost":
            with anyio.move_on_after(_LAST_WORDS_S, shield=True):
                await self._read_to_the_end()
            self._finish(error_for_close(1006, ""))
        self._finish(EndpointUnreachable(f"the endpoint took no data for {within_s:.3g} s"))
        await self._wire.release()
        return False

    def _owe(self, kind: str, frame: bytes) -> None:
        """Have a control frame written soon, in place of an earlier one of its kind that still waits."""
        self._controls.owe(kind, frame)
        if not self._answering:
            self._answering = True
            self._tasks.start_soon(self._answer)

    async def _answer(self) -> None:
        """Write the control frames that are due, so that no reader ever waits for the peer to take data."""
        while self._answering:
            async with self._writing:
                frame = self._controls.next(is_over=self._end is not None)
                self._answering = bool(frame) and await self._put(frame, self._keepalive.timeout_s)
        if self._end is not None and not self._asked:
            async with self._reading:
                await self._wire.linger(_LINGER_S)
            await self._wire.release()

    async def _mind(self) -> None:
        """End a connection whose peer stays silent, and read for a receiver that is busy elsewhere."""
        with self._minding:
            silent_s = await self._keepalive.until_silence()
            self._finish(EndpointUnreachable(f"the endpoint did not answer a ping within {silent_s:g} s"))
            await self._wire.release()

    async def _attend(self, until_s: float) -> None:
        with anyio.CancelScope(deadline=until_s):
            if not self._reading.locked():
                async with self._reading:
                    while not (self._end or self._room_bytes <= 0 or self._reading.statistics().tasks_waiting):
                        await self._pull()
            await anyio.sleep_until(until_s)
        if self._room_bytes <= 0:
            self._keepalive.heard()  # what is not read cannot be an answer

    async def _read_to_the_end(self) -> None:
        while self._end is None:
            async with self._reading:
                if self._end is None:
                    await self._pull()
            if self._room_bytes <= 0:
                self._inbox.clear()
                self._room_bytes = self._limit_bytes
