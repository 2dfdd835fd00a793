"""The server's end of one WebSocket: frames, pings, limits and the closing handshake."""

import contextlib
from typing import Final

import anyio
import h11
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from runner.local.server.asgi import Message
from runner.local.server.faulty_stream import FaultyStream

GOING_AWAY: Final = 1001
MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
_TOO_LARGE: Final = 1009
_ABNORMAL: Final = 1006
_READ_BYTES: Final = 65536
_CLOSE_TIMEOUT_S: Final = 2.0


class PeerGone(OSError):
    """The client has closed or lost the WebSocket, or not read for half a minute; ASGI prescribes an OSError."""


class ServerSocket:
    """A WebSocket whose upgrade request has been read.

    Args:
        stream: The stream that carries it.
        request: The upgrade request.
        early: Bytes that the client has sent after the request.

    Attributes:
        accepted: Whether the application has accepted the WebSocket.
        offered: The subprotocols that the client offers.
    """

    def __init__(self, stream: FaultyStream, request: h11.Request, early: bytes) -> None:
        self.accepted = False
        self._stream = stream
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._protocol.initiate_upgrade_connection(list(request.headers), request.target.decode("latin-1"))
        opening = next(self._protocol.events())
        self.offered = opening.subprotocols if isinstance(opening, Request) else []
        self._early = early
        self._events: list[Event] = []
        self._parts: list[str] | list[bytes] = []
        self._size = 0
        self._announced = False
        self._writing = anyio.Lock()
        self._reading = anyio.Lock()
        self._frame = anyio.CancelScope()
        self._finishes_frames = True
        self._broken = False
        self._closing = False
        self._ended: Message | None = None

    async def receive(self) -> Message:
        """Receive the client's next ASGI message; pings are answered meanwhile."""
        if not self._announced:
            self._announced = True
            return {"type": "websocket.connect"}
        while self._ended is None:
            while self._events:
                message = await self._handle(self._events.pop(0))
                if message is not None:
                    return message
            await self._fill()
        return self._ended

    async def send(self, message: Message) -> None:
        """Send an ASGI message to the client.

        Raises:
            PeerGone: The client can no longer receive it.
        """
        if message["type"] == "websocket.accept":
            await self._write(AcceptConnection(subprotocol=message.get("subprotocol")))
            self.accepted = True
            if self._early:
                self._feed(self._early)
        elif message["type"] == "websocket.close":
            await self.close(message.get("code", 1000), message.get("reason") or "")
        elif message.get("text") is not None:
            await self._write(TextMessage(data=message["text"]))
        else:
            await self._write(BytesMessage(data=message["bytes"]))

    async def close(self, code: int, reason: str = "") -> None:
        """Send a close frame and wait for the client's, two seconds at most."""
        if self._ended is not None or self._closing or self._broken or not self.accepted:
            return
        with anyio.move_on_after(_CLOSE_TIMEOUT_S), contextlib.suppress(PeerGone):
            await self._write(CloseConnection(code=code, reason=_shortened(reason)))
            self._closing = True
            while self._ended is None:
                await self._fill()
                while self._events:
                    await self._handle(self._events.pop(0))
        self._end(code, reason)

    async def watch(self, frame_timeout_s: float) -> None:
        """Wait until cancelled; then give a frame that is being sent this many seconds before it is cut short."""
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.move_on_after(frame_timeout_s, shield=True):
                async with self._writing:
                    pass
            self._finishes_frames = self._frame.shield = False

    async def _fill(self) -> None:
        # `close` reads too, while `receive` may be reading already.
        async with self._reading:
            if self._events or self._ended is not None:
                return
            if self._protocol.state is ConnectionState.CLOSED:
                self._end(_ABNORMAL, "")
                return
            try:
                data = await self._stream.receive(_READ_BYTES)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                self._end(_ABNORMAL, "")
            else:
                self._feed(data)

    def _feed(self, data: bytes) -> None:
        try:
            self._protocol.receive_data(data)
            self._events.extend(self._protocol.events())
        except RemoteProtocolError as error:
            hint = error.event_hint
            self._events.append(hint if isinstance(hint, CloseConnection) else CloseConnection(code=1002))

    async def _handle(self, found: Event) -> Message | None:
        if isinstance(found, CloseConnection):
            await self._answer_close(found)
        elif self._closing:
            return None
        elif isinstance(found, Ping):
            await self._write(found.response())
        elif isinstance(found, (TextMessage, BytesMessage)):
            self._size += len(found.data)
            if self._size > MAX_MESSAGE_BYTES:
                await self._refuse(_TOO_LARGE, "The message is too large.")
                return None
            self._parts.append(found.data)  # type: ignore[arg-type]  # one message is all text or all bytes
            if found.message_finished:
                return self._message(found)
        return None

    def _message(self, last: TextMessage | BytesMessage) -> Message:
        parts, self._parts, self._size = self._parts, [], 0
        if isinstance(last, TextMessage):
            return {"type": "websocket.receive", "text": "".join(parts), "bytes": None}  # type: ignore[arg-type]  # a message is all text or all bytes
        return {"type": "websocket.receive", "text": None, "bytes": b"".join(parts)}  # type: ignore[arg-type]  # a message is all text or all bytes

    async def _answer_close(self, found: CloseConnection) -> None:
        if not self._closing:
            with contextlib.suppress(PeerGone):
                await self._write(found.response())
        self._end(found.code, found.reason or "")

    async def _refuse(self, code: int, reason: str) -> None:
        self._parts = []
        await self.close(code, reason)
        self._end(code, reason)

    def _end(self, code: int, reason: str) -> None:
        self._ended = self._ended or {"type": "websocket.disconnect", "code": int(code), "reason": reason}

    async def _write(self, what: Event) -> None:
        async with self._writing:
            if self._broken or self._ended is not None:
                raise PeerGone
            try:
                data = self._protocol.send(what)
            except LocalProtocolError:
                raise PeerGone from None
            # A frame that is cut short cannot be followed by another, so a cancellation lets it finish.
            self._broken = True
            self._frame = anyio.CancelScope(shield=self._finishes_frames)
            try:
                with self._frame:
                    await self._stream.send(data)
            except (TimeoutError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                self._end(_ABNORMAL, "")
                raise PeerGone from None
            self._broken = False


def _shortened(reason: str) -> str:
    """Cut a reason to the 123 bytes that a close frame holds."""
    return reason.encode()[:123].decode("utf-8", "ignore")
