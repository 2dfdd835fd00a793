"""A WebSocket without a network: a test reads what was sent on it, and says what comes."""

import json
from time import time
from typing import Any, cast

import anyio

from runner.connect.changes import Changes
from runner.connect.websocket import Closed, TakeMessage, WebSocket
from runner.errors import EndpointUnreachable
from runner.protocol.state import SessionState
from runner.session.link import Link


class StillConnection:
    """Keeps what is put on it, and hands on what a test says has come.

    Args:
        expires_in_s: How long the endpoint says that the session lives, in seconds; 0 where it does not say.

    Attributes:
        sent: The client events that were sent, in order.
        is_closed: Whether the client has ended the connection.
        blocked: Set when a sender waits on a blocked connection.
    """

    def __init__(self, *, expires_in_s: float = 0) -> None:
        self._expires_in_s = expires_in_s
        self.sent: list[dict[str, Any]] = []
        self.is_closed = False
        self.blocked = anyio.Event()
        self._free: anyio.Event | None = None
        self.close_code: int | None = None
        self.response = None
        self._take: TakeMessage | None = None
        self._take_end: Any = None

    async def listen(self, take: TakeMessage, take_end: Any) -> None:
        """Hand on what comes from now on."""
        self._take, self._take_end = take, take_end

    async def ready(self) -> None:
        """Be ready to send at once."""
        if self._free is not None:
            self.blocked.set()
            await self._free.wait()
        if self.is_closed:
            raise Closed

    def block(self) -> None:
        """Take nothing more until the connection is lost."""
        self._free = anyio.Event()

    def put(self, message: str | bytes) -> None:
        """Keep a message."""
        self.sent.append(json.loads(message))

    async def settled(self) -> None:
        """Have sent everything."""

    async def close(self, *, timeout_s: float = 0.0) -> None:
        """End the connection."""
        self.is_closed = True

    def come(self, *events: dict[str, Any]) -> None:
        """Let server events come."""
        assert self._take
        for event in events:
            self._take(json.dumps(event).encode())

    def break_off(self) -> None:
        """Lose the connection."""
        self.is_closed = True
        if self._free is not None:
            self._free.set()
        self._take_end(EndpointUnreachable("the connection was lost"))

    def greet(self, session_id: str = "sess_1", **session: Any) -> None:
        """Let the endpoint greet the client and confirm its configuration."""
        ends = {"expires_at": round(time() + self._expires_in_s)} if self._expires_in_s else {}
        effective = {"type": "realtime", "id": session_id, **ends, **session}
        self.come({"type": "session.created", "session": effective})
        self.come({"type": "session.updated", "session": effective})

    def sent_types(self) -> list[str]:
        """The types of the events that were sent."""
        return [event["type"] for event in self.sent]

    def as_websocket(self) -> WebSocket:
        """The same, by the type that is asked for."""
        return cast("WebSocket", self)


async def still_link(
    connection: StillConnection, changes: Changes | None = None, *, epoch: int = 1, **options: Any
) -> Link:
    """A real link on a still connection, which has listened to the endpoint's greeting."""
    state = options.pop("state", None) or SessionState(retries_lost=True, max_response_retries=2)
    options.setdefault("lost", lambda _link: None)
    link = Link(connection.as_websocket(), state, changes or Changes(), epoch=epoch, **options)
    await link.pump.listen()
    connection.greet(f"sess_{epoch}")
    await anyio.lowlevel.checkpoint()
    return link
