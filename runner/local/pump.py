"""Moves the events of one session of the local endpoint between the session and its client."""

from collections.abc import Callable
from functools import partial

import anyio

from runner import logs
from runner.local.asgi import Receive, Send
from runner.local.faults import ConnectionFaults
from runner.local.outlet import Outlet
from runner.local.response import Event
from runner.local.session import LocalSession
from runner.local.wire import Wire


class Pump:
    """Moves one session's events; the lock keeps them in the order in which they came about.

    Args:
        session: The session.
        receive: ASGI's way from the client.
        send: ASGI's way to the client.
        faults: What may go wrong on the way.
        wire: The connection's bytes, where the server gives access to them.
        delta_interval_ms: Time between two pieces of an answer, in milliseconds.
        limit_s: How long the session may last, in seconds.
    """

    def __init__(
        self,
        session: LocalSession,
        receive: Receive,
        send: Send,
        *,
        faults: ConnectionFaults,
        wire: Wire | None,
        delta_interval_ms: float,
        limit_s: float,
    ) -> None:
        self._session = session
        self._receive = receive
        self._tasks = anyio.create_task_group()
        self._outlet = Outlet(faults, wire, send, self._end)
        self._delta_interval_ms = delta_interval_ms
        self._limit_s = limit_s
        self._order = anyio.Lock()
        self._work = anyio.Event()

    async def run(self) -> None:
        """Until the client goes, the session's time is over, or a fault ends the connection."""
        try:
            async with self._tasks:
                self._tasks.start_soon(self._expire)
                self._tasks.start_soon(self._stream)
                await self._outlet.open()
                self._tasks.start_soon(self._outlet.watch_clock)
                await self._read()
                self._end()
        except* (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            # ASGI: sending to a client that has gone raises OSError; the wire has anyio's errors.
            logs.logger().info("client_lost", session_id=self._session.id)

    def _end(self) -> None:
        self._tasks.cancel_scope.cancel()

    async def _read(self) -> None:
        await self._emit(self._session.open)
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            text, data = message.get("text"), message.get("bytes")
            content: str | bytes = text if text is not None else data or b""
            await self._emit(partial(self._session.receive, content))
            if self._session.busy:
                self._work.set()

    async def _stream(self) -> None:
        while True:
            await self._work.wait()
            self._work = anyio.Event()
            while self._session.busy:
                await anyio.sleep(self._delta_interval_ms / 1000)
                await self._emit(self._session.advance)

    async def _expire(self) -> None:
        await anyio.sleep(self._limit_s)
        minutes = f"{self._limit_s / 60:.3g}"
        reason = f"Your session hit the maximum duration of {minutes} minute{'' if minutes == '1' else 's'}."
        await self._emit(partial(self._session.expire, reason))
        await self._outlet.close(1001, reason)

    async def _emit(self, produce: Callable[[], list[Event]]) -> None:
        async with self._order:
            for each in produce():
                await self._outlet.send(each)
