"""A Realtime server for tests that does exactly what a test says, on a real socket."""

import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from runner.settings.profile import Profile
from runner.task_groups import body_task_group

Script = Callable[["Peer"], Awaitable[None]]
Door = Callable[[Request], Response | None]
"""Looks at a handshake; what it returns refuses it."""


class Peer:
    """One connection of the server: what came in, and ways to answer.

    Attributes:
        received: Every client event, in order.
        close_code: The code of the client's close frame, None before it came.
        closed: Set once the client's close frame came.
        pongs: The payloads of the client's pongs.
    """

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self.stream = stream
        self.protocol = ServerProtocol(max_size=None)
        self.received: list[dict[str, Any]] = []
        self.close_code: int | None = None
        self.closed = anyio.Event()
        self.pongs: list[bytes] = []
        self._waiting: list[dict[str, Any]] = []
        self._sending = anyio.Lock()

    async def accept(self, door: Door | None = None) -> bool:
        """Answer the handshake; returns whether the connection is open."""
        while not (events := self.protocol.events_received()):
            self.protocol.receive_data(await self.stream.receive())
        request = events[0]
        assert isinstance(request, Request)
        refusal = door(request) if door else None
        self.protocol.send_response(refusal or self.protocol.accept(request))
        await self.flush()
        return self.protocol.state is State.OPEN

    async def flush(self) -> None:
        """Send what the protocol wants to send, in one piece, so that nothing comes between."""
        async with self._sending:
            if data := b"".join(self.protocol.data_to_send()):
                await self.stream.send(data)

    async def event(self) -> dict[str, Any] | None:
        """The next client event, None at the end."""
        while not self._waiting:
            try:
                data = await self.stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return None
            self.protocol.receive_data(data)
            self.sort()
            await self.flush()
            if self.close_code is not None and not self._waiting:
                return None
        event = self._waiting.pop(0)
        self.received.append(event)
        return event

    def sort(self) -> None:
        """Sort what the protocol has received."""
        for frame in self.protocol.events_received():
            if not isinstance(frame, Frame):
                continue
            if frame.opcode is Opcode.TEXT:
                self._waiting.append(json.loads(bytes(frame.data)))
            elif frame.opcode is Opcode.PONG:
                self.pongs.append(bytes(frame.data))
            elif frame.opcode is Opcode.CLOSE:
                self.close_code = struct.unpack("!H", frame.data[:2])[0] if frame.data else 1005
                self.closed.set()

    async def until(self, kind: str) -> dict[str, Any]:
        """Read client events up to the first of this type."""
        while (event := await self.event()) is not None:
            if event["type"] == kind:
                return event
        raise AssertionError(f"no {kind} came, but {[each['type'] for each in self.received]}")

    async def to_the_end(self) -> None:
        """Read until the client has closed."""
        while await self.event() is not None:
            pass

    async def send(self, *events: Any) -> None:
        """Send events as JSON text messages; strings and bytes go as they are.

        Raises:
            anyio.ClosedResourceError: The client has closed; a script may leave that to `serving`.
        """
        for event in events:
            if self.close_code is not None:
                raise anyio.ClosedResourceError
            text = event if isinstance(event, str) else json.dumps(event)
            self.protocol.send_text(text.encode(errors="surrogatepass"))
        await self.flush()

    async def close(self, code: int, reason: str = "") -> None:
        """Send a close frame."""
        self.protocol.send_close(code, reason)
        await self.flush()

    async def greet(self) -> None:
        """Open and configure a session as an endpoint does."""
        session = {"type": "realtime", "id": "sess_test", "object": "realtime.session", "model": "test"}
        await self.send({"type": "session.created", "event_id": "event_1", "session": session})
        update = await self.until("session.update")
        await self.send({"type": "session.updated", "event_id": "event_2", "session": {**session, **update["session"]}})

    async def answer(
        self, *pieces: str, response_id: str = "resp_1", item_id: str = "item_1", end: bool = True, **response: Any
    ) -> None:
        """Stream a text response; `end=False` leaves it in flight."""
        ids = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0, "event_id": "e"}
        await self.send(
            {"type": "response.created", "event_id": "e", "response": {"id": response_id, "conversation_id": "c"}}
        )
        for piece in pieces:
            await self.send({"type": "response.output_text.delta", "delta": piece, **ids})
        if end:
            await self.end("".join(pieces), response_id=response_id, item_id=item_id, **response)

    async def end(self, text: str, *, response_id: str = "resp_1", item_id: str = "item_1", **response: Any) -> None:
        """End a text response, by default as completed."""
        status = response.get("status", "completed")
        item = {
            "id": item_id,
            "type": "message",
            "role": "assistant",
            "status": "completed" if status == "completed" else "incomplete",
            "content": [{"type": "output_text", "text": text}],
        }
        done = {"id": response_id, "status": status, "output": [item], "conversation_id": "c", **response}
        await self.send({"type": "response.done", "event_id": "e", "response": done})


@asynccontextmanager
async def serving(script: Script, *, door: Door | None = None) -> AsyncIterator[tuple[int, list[Peer]]]:
    """Serve connections by a script on a loopback port; yields the port and the open connections so far."""
    peers: list[Peer] = []
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # not Django

    async def handle(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            peer = Peer(stream)
            try:
                if await peer.accept(door):
                    peers.append(peer)
                    await script(peer)
            except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
                pass

    async with listener, body_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield port, peers


def refusal(status: int, code: str = "", **headers: str) -> Response:
    """The answer to a refused handshake, with the API's error as its body."""
    body = json.dumps({"error": {"code": code, "message": f"no: {status}"}}).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, "No", Headers({"Content-Length": str(len(body)), "Connection": "close", **names}), body)


def profile_for(port: int, **tables: Any) -> Profile:
    """A profile for a server on a loopback port, which never connects again unless `run.reconnect` says so."""
    endpoint = {"kind": "custom", "base_url": f"http://127.0.0.1:{port}/v1", "connect_timeout_s": 5}
    tables["run"] = {"reconnect": {"max_attempts": 0}, "max_response_retries": 0, **tables.get("run", {})}
    return Profile.model_validate({"version": 1, "endpoint": endpoint, "model": {"name": "test"}, **tables})
