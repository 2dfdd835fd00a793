"""A WebSocket that pushes: a message is handed to the listener in the callback that brought its bytes."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextvars import copy_context

import anyio
import anyio.lowlevel
import httpcore
import httpx
import httpx_ws

from runner.connect import frames
from runner.connect.changes import Changes
from runner.connect.keepalive import Keepalive
from runner.connect.wire import wire_below
from runner.errors import EndpointUnreachable, RunnerError
from runner.protocol.severity import error_for_close
from runner.task_groups import body_task_group

CLOSE_TIMEOUT_S = 5.0
_HASTY_CLOSE_TIMEOUT_S = 1.0
_LINGER_S = 0.5
_MINDING_SLACK_S = 5.0
_BREATH_BYTES = 65536

TakeMessage = Callable[[bytes], object]
"""Gets one text message; it must not wait, and raises `frames.not_utf8` for one that is not UTF-8."""

Over = Callable[[Exception], object]
"""Gets what ended the connection, as `ended` raises it; it must not wait."""


class Closed(Exception):
    """The connection is over because this side closed it."""


class WebSocket(httpx_ws.AsyncWebSocketSession):
    """One open connection, which answers pings and notices its end by itself from `listen` on.

    httpx-ws opens connections as objects of its own class only, so this is one; it neither calls the parent's
    `__init__`, which would build a second protocol machine, nor uses a method of the parent. Every call after the end
    raises what came first: `Closed` after a `close` of this side, else a `RunnerError`.

    Attributes:
        close_code: The code of the peer's close frame, 1006 if the connection ended without one, None while open.
        is_released: Whether nothing is left of the connection that would have to be closed.
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
        self.stream = stream
        self.response = response
        self.close_code: int | None = None
        self._wire = wire_below(stream)
        self._reader = frames.FrameReader(max_message_size_bytes)
        self._keepalive = Keepalive(keepalive_ping_interval_seconds, keepalive_ping_timeout_seconds)
        self._minding = anyio.CancelScope()
        self._deliver: TakeMessage = bool
        self._over: Over = bool
        self._end: Exception | None = None
        self._changes = Changes()
        self.is_released = self._is_listening = self._is_lost = self._asked = self._close_sent = False
        self._late_pong, self._breathless_bytes = b"", 0

    @contextlib.asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncIterator["WebSocket"]:
        async with body_task_group() as self._tasks:
            timeout_s = _HASTY_CLOSE_TIMEOUT_S
            try:
                yield self
                timeout_s = CLOSE_TIMEOUT_S
            finally:
                self._minding.cancel()
                if not self.is_released:
                    with anyio.CancelScope(shield=True):
                        await self.close(timeout_s=timeout_s)

    async def listen(self, take: TakeMessage, over: Over | None = None) -> None:
        """Hand every text message to `take` from now on, answer pings and send them.

        What `take` raises ends the connection; what `over` raises leaves the block that holds the connection.
        """
        self._is_listening = True
        # The end comes in the midst of a read, or not, and a context cannot be entered twice.
        context, last_context = copy_context(), copy_context()
        # Callbacks of a transport run in a context of their own; log lines need the caller's.
        self._deliver = lambda data: context.run(self._read, take, data)
        if over is not None:
            self._over = lambda end: last_context.run(over, end)
        self._tasks.start_soon(self._mind)
        await self._wire.listen(self, self._tasks)

    async def ended(self) -> None:
        """Wait for the end of the connection and raise it.

        Raises:
            Closed: This side closed the connection.
            RunnerError: The peer closed it, broke the rules or was lost.
        """
        while self._end is None:
            await self._changes.next()
        self._raise_if_ended()

    async def send(self, message: str | bytes) -> None:  # type: ignore[override]  # text, not wsproto's events
        """Send one text message, which may be encoded already, and wait until it is gone; `listen` comes first.

        A call that is cancelled has sent the whole message or nothing of it.

        Raises:
            Closed: This side closed the connection.
            RunnerError: The connection has ended, or the peer took no data for the ping timeout.
        """
        await self.ready()
        self.put(message)
        await self.settled()

    async def ready(self) -> None:
        """Wait until no message waits to be sent; raises as `send` does."""
        self._raise_if_ended()
        if self._wire.waiting_bytes:
            await self._settle()
        if self._close_sent:
            raise Closed("the connection is being closed by this side")

    def put(self, message: str | bytes) -> None:
        """Put one whole text message on its way; raises as `send` does, but never waits."""
        self._raise_if_ended()
        if self._close_sent:
            raise Closed("the connection is being closed by this side")
        if not self._is_listening:
            raise RuntimeError("`listen` comes before anything is sent")
        frame = frames.encode_text(message)
        self._breathless_bytes += len(frame)
        self._wire.put(frame)

    async def settled(self) -> None:
        """Wait until the peer has taken everything that was put; raises as `send` does."""
        if self._wire.waiting_bytes:
            await self._settle()
        elif self._breathless_bytes > _BREATH_BYTES:
            # A peer that takes everything at once must not keep the rest of this process waiting.
            self._breathless_bytes = 0
            await anyio.lowlevel.checkpoint()

    async def close(self, code: int = 1000, reason: str | None = None, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Send a close frame, listen on until the peer has sent its own, and hang up.

        Args:
            code: The close code, 1000 for a normal end.
            reason: At most 123 bytes; what is longer is cut.
            timeout_s: Bound on all of it, in seconds; afterwards the connection is cut, with 0 at once.
        """
        if self.is_released:
            return
        farewell = frames.encode_close(code, reason or "")
        try:
            if timeout_s > 0:
                with anyio.move_on_after(timeout_s):
                    await self._say_goodbye(farewell)
        finally:
            self._asked = self._asked or self._end is None
            self._finish(Closed())
            await self._release()

    async def _say_goodbye(self, farewell: bytes) -> None:
        if not self._is_listening:
            await self.listen(bool)
        if self._end is None:
            self._asked = True
            await self._wire.settled()
            self._put_close(farewell)
            while self._end is None:
                await self._changes.next()
        await self._hang_up()

    @property
    def is_unminded(self) -> bool:
        """Whether nobody pings the peer any more, or ends the connection because of its silence, as is long due."""
        return self._keepalive.overdue_s(anyio.current_time()) > self._keepalive.timeout_s + _MINDING_SLACK_S

    def data_received(self, data: bytes) -> None:
        """Take bytes of the wire."""
        self._keepalive.heard()
        if self._end is None:
            try:
                self._deliver(data)
            except frames.BrokenFrames as error:
                self._finish(error, answer_code=error.close_code)
            except Exception as error:  # noqa: BLE001  # it is `ended` raises it
                self._asked = False
                self._finish(error, answer_code=1011)

    def connection_lost(self) -> None:
        """Take note of the end of the wire."""
        self._is_lost = True
        self._changes.notify()
        self._finish(error_for_close(1006, ""))

    def writable(self) -> None:
        """Answer the last ping that came while the peer took no data."""
        if self._late_pong and not self._close_sent:
            self._wire.put(self._late_pong)
        self._late_pong = b""

    def _read(self, take: TakeMessage, data: bytes) -> None:
        for event in self._reader.feed(data):
            if type(event) is bytes:
                take(event)
            elif isinstance(event, frames.Ping):
                self._answer(frames.encode_pong(event.payload))
            elif isinstance(event, frames.Close):
                self.close_code = event.code
                self._finish(error_for_close(event.code, event.reason), answer_code=event.code)
            elif isinstance(event, frames.Binary):
                take(b"")  # an empty message is no event, so it counts as malformed
            elif isinstance(event, frames.BrokenFrames):
                self._finish(event, answer_code=event.close_code)

    def _answer(self, pong: bytes) -> None:
        # A peer that pings and does not read must not fill the memory: the latest ping counts.
        if self._wire.waiting_bytes:
            self._late_pong = pong
        elif not self._close_sent:
            self._wire.put(pong)

    def _raise_if_ended(self) -> None:
        if self._end is not None:
            raise self._end.with_traceback(None)

    def _finish(self, end: Exception, *, answer_code: int = 0) -> None:
        """Remember the first end, and answer it with a close frame if a code is given."""
        if self._end is not None:
            return
        self._end = Closed("the connection was closed by this side") if self._asked else end
        self.close_code = self.close_code or 1006
        self._minding.cancel()
        self._changes.notify()
        if answer_code:
            self._put_close(frames.encode_close(answer_code))
        try:
            self._over(self._end)
        except Exception as error:  # noqa: BLE001  # it is raised where the connection is held
            self._tasks.start_soon(_fail, error)
        # Who listened knows this connection, and a circle of both would wait for the garbage collector.
        self._deliver = self._over = bool

    def _put_close(self, frame: bytes) -> None:
        if not self._close_sent:
            self._close_sent = True
            self._wire.put(frame)

    async def _settle(self) -> None:
        """Wait until the peer has taken everything, or end the connection if it takes nothing."""
        if not await self._wire.settle(self._keepalive.timeout_s):
            self._finish(EndpointUnreachable(f"the endpoint took no data for {self._keepalive.timeout_s:.3g} s"))
            await self._release()
        if self._wire.is_over:
            self._raise_if_ended()

    async def _mind(self) -> None:
        """End a connection whose peer stays silent, and hang up after an end that the peer has caused."""
        with self._minding, contextlib.suppress(Closed, RunnerError):
            silent_s = await self._keepalive.until_silence(self._ping)
            self._finish(EndpointUnreachable(f"the endpoint did not answer a ping within {silent_s:g} s"))
            await self._release()
        if not self._asked:
            await self._hang_up()

    async def _ping(self) -> None:
        await self.ready()
        self._wire.put(frames.encode_ping())

    async def _hang_up(self) -> None:
        """Let the peer hang up first, as RFC 6455 asks: hanging up on unread data would cost it the last messages."""
        with anyio.move_on_after(_LINGER_S):
            while not self._is_lost:
                await self._changes.next()
        await self._release()

    async def _release(self) -> None:
        await self._wire.release()
        self._is_lost = self.is_released = True
        self._changes.notify()


async def _fail(error: Exception) -> None:
    raise error
