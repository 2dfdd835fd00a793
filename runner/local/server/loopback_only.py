"""A door before an application that only programs and pages of this machine may pass."""

from urllib.parse import urlsplit

from runner import logs
from runner.local.server.asgi import Asgi, Receive, Scope, Send
from runner.local.server.asgi_responses import deny, error_body, respond
from runner.settings.hosts import is_loopback


class LoopbackOnly:
    """Answers 403 where a page of another site asks, whose browser says so in `Origin` and names it in `Host`.

    WebSockets know no same-origin rule, so that any page could talk to a port of the machine that shows it; one with a
    name of its own for that machine could even pass for the same origin. A program sends no `Origin`.

    Args:
        app: The application behind the door.
    """

    def __init__(self, app: Asgi) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI defines it."""
        stranger = _stranger(scope) if scope["type"] in {"http", "websocket"} else ""
        if not stranger:
            await self._app(scope, receive, send)
            return
        logs.logger().warning("stranger_refused", header=stranger)
        body = error_body(f"The {stranger} header names another machine.", "forbidden")
        if scope["type"] == "http":
            await respond(send, 403, body)
        else:
            await receive()
            await deny(scope, send, 403, body)


def _stranger(scope: Scope) -> str:
    """The header that names another machine; empty where none does."""
    for name, value in scope["headers"]:
        text = value.decode("latin-1").strip()
        if name.lower() == b"host" and not is_loopback(_host(f"//{text}")):
            return "Host"
        if name.lower() == b"origin" and not is_loopback(_host(text)):
            return "Origin"
    return ""


def _host(address: str) -> str:
    """The host of an address; empty where it has none, as the origin `null`."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
