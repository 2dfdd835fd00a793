"""What the endpoint's ASGI applications answer besides events: accepted and denied WebSockets, and errors in HTTP."""

import json
from collections.abc import Sequence
from typing import Final

from runner.local.server.asgi import Scope, Send

Headers = Sequence[tuple[bytes, bytes]]

_UPGRADE_REQUIRED: Final = "This is a WebSocket endpoint; upgrade the connection."


def error_body(
    message: str, code: str | None, *, param: str | None = None, kind: str = "invalid_request_error"
) -> bytes:
    """The JSON of an HTTP error as the API shapes it."""
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}}).encode()


async def respond(send: Send, status: int, body: bytes, more_headers: Headers = (), *, prefix: str = "") -> None:
    """Send an HTTP response with a body in JSON; `prefix` is put before the types of the ASGI messages."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *more_headers]
    await send({"type": f"{prefix}http.response.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}http.response.body", "body": body})


async def require_upgrade(send: Send) -> None:
    """Answer an HTTP request to a WebSocket's address with 426."""
    await respond(send, 426, error_body(_UPGRADE_REQUIRED, "upgrade_required"), [(b"upgrade", b"websocket")])


async def accept(scope: Scope, send: Send) -> None:
    """Accept a WebSocket, with the API's subprotocol where the client offers it."""
    offered = scope.get("subprotocols", [])
    await send({"type": "websocket.accept", "subprotocol": "realtime" if "realtime" in offered else None})


async def deny(scope: Scope, send: Send, status: int, body: bytes, more_headers: Headers = ()) -> None:
    """Deny a WebSocket with an HTTP response, or by closing it where the server cannot send one."""
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await respond(send, status, body, more_headers, prefix="websocket.")
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": "invalid_request_error"})
