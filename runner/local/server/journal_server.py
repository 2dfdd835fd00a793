"""The server's side of a recorded session as an ASGI application, which plays it back to any client."""

import base64
import json
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import anyio

from runner import logs
from runner.audio.format import PCM
from runner.journal.record import Record, restored
from runner.local.server.asgi import Receive, Scope, Send
from runner.local.server.asgi_responses import accept, require_upgrade
from runner.local.server.server_websocket import PeerGone
from runner.protocol.session_format import format_of

_CLIENT_TIMEOUT_S: Final = 30.0
_STREAMED: Final = frozenset(
    {"input_audio_buffer.append", "session.input_audio_buffer.append", "session.input_audio.append"}
)
"""Client events that come as a stream: only the first of them is awaited, the clock paces what follows."""
_UNSENDABLE: Final = frozenset({1004, 1005, 1006, 1015})


class PlaybackApp:
    """Plays the connections of a journal back: the k-th client gets the k-th one, and any after them the last one.

    Args:
        records: The records of a journal.
        speed: The speed of the playback, 1.0 as recorded; 0 makes no pauses.
    """

    def __init__(self, records: Iterable[Record], *, speed: float = 1.0) -> None:
        self._connections = _connections(records)
        self._speed = speed
        self._served = 0

    @property
    def connection_count(self) -> int:
        """The number of recorded connections."""
        return len(self._connections)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI defines it."""
        if scope["type"] == "http":
            await require_upgrade(send)
        elif scope["type"] == "websocket" and self._connections:
            await receive()
            number = min(self._served, len(self._connections) - 1)
            self._served += 1
            await accept(scope, send)
            logs.logger().info("playback_started", connection=number + 1)
            await _Playback(self._connections[number], self._speed, receive, send).run()


class _Playback:
    """One connection that is played back to one client."""

    def __init__(self, records: list[Record], speed: float, receive: Receive, send: Send) -> None:
        self._records = records
        self._speed = speed
        self._receive = receive
        self._send = send
        self._awaited = {str(each.event.get("type")) for each in records if each.direction == "out"}
        self._unclaimed: Counter[str] = Counter()
        self._streams: set[str] = set()
        self._missing: set[str] = set()
        self._arrival = anyio.Event()
        self._form = PCM
        self._is_silent = False
        self._recorded_s = records[0].at_s
        self._reached_s = anyio.current_time()

    async def run(self) -> None:
        """Play the connection back until the client closes it, or it ends as it did when it was recorded."""
        cut = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, tasks.cancel_scope)
            try:
                cut = not await self._play()
            except OSError:
                # ASGI: sending to a client that has gone raises OSError.
                logs.logger().info("client_lost")
            tasks.cancel_scope.cancel()
        if cut:
            raise PeerGone

    async def _listen(self, scope: anyio.CancelScope) -> None:
        while (message := await self._receive())["type"] != "websocket.disconnect":
            kind = _kind(message.get("text") or message.get("bytes") or "")
            if kind in self._awaited:
                self._unclaimed[kind] += 1
                self._arrival.set()
        scope.cancel()

    async def _play(self) -> bool:
        """Send all server events and close; returns False where the recorded connection was cut without a close."""
        for record in self._records:
            kind = record.event.get("type")
            if record.direction == "in":
                await self._pause(record.at_s)
                await self._send_event(record)
            elif record.direction == "out" and isinstance(kind, str):
                await self._await_client_event(kind, record.at_s)
            elif kind == "connection.closed" and record.event.get("by") != "client":
                await self._pause(record.at_s)
                return await self._close(record.event)
        await anyio.sleep_forever()
        return True

    async def _pause(self, at_s: float) -> None:
        if self._speed:
            await anyio.sleep_until(self._reached_s + max(0.0, at_s - self._recorded_s) / self._speed)
        self._mark(at_s)

    def _mark(self, at_s: float) -> None:
        self._recorded_s, self._reached_s = at_s, anyio.current_time()

    async def _send_event(self, record: Record) -> None:
        event = record.event
        session = event.get("session")
        if isinstance(session, dict):
            self._form = format_of(session, "output")
            if isinstance(session.get("expires_at"), int):
                shifted = session["expires_at"] + int(time.time() - record.at_s)
                event = {**event, "session": {**session, "expires_at": shifted}}
        text = json.dumps(restored(event, self._silence), separators=(",", ":"))
        await self._send({"type": "websocket.send", "text": text})

    def _silence(self, size_bytes: int) -> str:
        if not self._is_silent:
            self._is_silent = True
            logs.logger().warning("audio_replaced", by="silence", reason="the journal holds hashes of audio only")
        return base64.b64encode(self._form.silence(size_bytes)).decode()

    async def _await_client_event(self, kind: str, at_s: float) -> None:
        if kind in self._missing or kind in self._streams:
            return
        with anyio.move_on_after(_CLIENT_TIMEOUT_S) as scope:
            while not self._unclaimed[kind]:
                self._arrival = anyio.Event()
                await self._arrival.wait()
        if scope.cancelled_caught:
            self._missing.add(kind)
            logs.logger().warning("client_event_missing", type=kind, waited_s=_CLIENT_TIMEOUT_S)
        else:
            self._unclaimed[kind] -= 1
        if kind in _STREAMED:
            self._streams.add(kind)
        self._mark(at_s)

    async def _close(self, note: dict[str, Any]) -> bool:
        code, reason = note.get("code"), note.get("reason")
        if not isinstance(code, int) or code in _UNSENDABLE or not 1000 <= code < 5000:
            return False
        await self._send({"type": "websocket.close", "code": code, "reason": reason if isinstance(reason, str) else ""})
        return True


def _connections(records: Iterable[Record]) -> list[list[Record]]:
    """The records of each connection, in the order of their beginnings; a journal may hold several sessions."""
    found: dict[tuple[int, int], list[Record]] = {}
    session = 0
    for record in records:
        session += record.direction == "note" and record.event.get("type") == "session.started"
        if record.epoch:
            found.setdefault((session, record.epoch), []).append(record)
    return list(found.values())


def _kind(message: str | bytes) -> str:
    try:
        event = json.loads(message)
    except (ValueError, RecursionError):
        return ""
    kind = event.get("type") if isinstance(event, dict) else None
    return kind if isinstance(kind, str) else ""
