"""The sending side of one connection: the session's events, and the faults that are injected among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import anyio

from runner import logs
from runner.local.server.asgi import Send
from runner.local.server.bad_messages import GARBAGE, NOT_UTF8, bad_message
from runner.local.server.faulty_stream import FaultyStream
from runner.local.session.fault_plan import ConnectionFaults
from runner.local.session.local_session import LocalSession
from runner.local.session.server_event import ServerEvent, text_of

if TYPE_CHECKING:
    from runner.settings.faults import (
        AnySessionFault,
        DeafFault,
        DropFault,
        GarbageFault,
        NoPongFault,
        NotUtf8Fault,
        SlowFault,
    )

_NORMAL: Final = 1000
_SERVER_ERROR: Final = 1011


class EventSender:
    """Sends and counts a session's events, and injects each fault when it is due.

    Args:
        session: The session, which knows the shape of its errors and of its end.
        faults: The faults that are planned for the connection.
        stream: The connection's byte stream; where it is None, a fault that needs it closes the connection instead.
        send: ASGI's `send`.
        end: Called when the connection is over.
    """

    def __init__(
        self,
        session: LocalSession,
        faults: ConnectionFaults,
        stream: FaultyStream | None,
        send: Send,
        end: Callable[[], None],
    ) -> None:
        self._session = session
        self._faults = faults
        self._stream = stream
        self._send = send
        self._end = end
        self._opened_at = anyio.current_time()
        self._sent = 0
        self._latest = ""
        self._muted = False
        self._closed = False

    async def open(self) -> None:
        """Inject the faults that are due before the first event."""
        if slow := self._faults.claim("slow"):
            await self._inject_into_stream(slow)
        self._muted = self._faults.claim("silent") is not None
        await self._inject_due()

    async def send(self, event: ServerEvent) -> None:
        """Send an event, and inject the faults that are due after it."""
        if self._muted or self._closed:
            return
        self._latest = text_of(event)
        await self._send_message(self._latest)
        self._sent += 1
        await self._inject_due()

    async def close(self, code: int, reason: str) -> None:
        """Close the connection, once."""
        if self._closed:
            return
        self._closed = True
        await self._send({"type": "websocket.close", "code": code, "reason": reason})
        self._end()

    async def watch_clock(self) -> None:
        """Inject the faults that are due at a time after the handshake."""
        for due_s in self._faults.due_times_s():
            await anyio.sleep_until(self._opened_at + due_s)
            await self._inject_due(age_s=due_s)

    async def _inject_due(self, *, age_s: float = 0.0) -> None:
        for fault in self._faults.due(events=self._sent, age_s=age_s):
            await self._inject(fault)
            if self._closed:
                return  # the faults after it stay for the next connection

    async def _inject(self, fault: AnySessionFault) -> None:
        match fault.kind:
            case "close":
                await self.close(fault.code, fault.reason)
            case "end":
                for event in self._session.end(fault.reason):
                    await self._send_message(text_of(event))
                await self.close(_NORMAL, "")
            case "error":
                await self._send_message(text_of(self._session.error_event(fault.type, fault.code, fault.message)))
            case "stall":
                self._muted = True
            case "duplicate":
                await self._send_message(self._latest)
            case "drop" | "no-pong" | "deaf" | "not-utf8" | "garbage":
                await self._inject_into_stream(fault)
            case _:
                await self._send_message(bad_message(fault))

    async def _inject_into_stream(
        self, fault: DropFault | NoPongFault | DeafFault | NotUtf8Fault | GarbageFault | SlowFault
    ) -> None:
        if self._stream is None:
            logs.logger().error("fault_impossible", kind=fault.kind, reason="it needs rt-run's own server")
            return await self.close(_SERVER_ERROR, f"The fault {fault.kind} needs rt-run's own server.")
        match fault.kind:
            case "drop":
                self._closed = True
                await self._stream.cut()
                self._end()
            case "no-pong":
                self._stream.stop_sending()
            case "deaf":
                self._stream.stop_reading()
            case "not-utf8":
                await self._stream.send(NOT_UTF8)
            case "garbage":
                await self._stream.send(GARBAGE)
            case "slow":
                self._stream.drip(fault.bytes_per_s)
        return None

    async def _send_message(self, content: str | bytes) -> None:
        await self._send({"type": "websocket.send", "text" if isinstance(content, str) else "bytes": content})
