"""The HTTP listener of a process, served beside its sessions: `/livez`, `/readyz` and `/metrics`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from runner import logs
from runner.errors import OutputError, reason_of
from runner.installation import install_command
from runner.local.server.http_server import serve
from runner.operations.health import liveness, readiness
from runner.settings.http import split_address
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runner.local.server.asgi import Receive, Scope, Send
    from runner.local.server.asgi_responses import Headers
    from runner.operations.health import Health
    from runner.operations.metrics import Metrics
    from runner.operations.observed import ObservedFleet
    from runner.settings.http import HttpSettings

MAX_CONNECTIONS = 32
"""So many ask at a time; the sessions need files too."""

_PLAIN = "text/plain; charset=utf-8"
_PATHS = "/livez, /readyz and /metrics\n"


@asynccontextmanager
async def observed(fleet: ObservedFleet, settings: HttpSettings) -> AsyncIterator[None]:
    """Answer whoever watches the process for the length of the block.

    Args:
        fleet: The sessions of the process, none of which has begun.
        settings: Where to listen.

    Raises:
        OutputError: The address cannot be had.
    """
    host, port = split_address(settings.listen)
    answers = HealthApp(fleet, settings)
    async with body_task_group() as tasks:
        try:
            bound: int = await tasks.start(partial(serve, answers, host, port, max_connections=MAX_CONNECTIONS))
        except OSError as error:
            msg = f"cannot listen on {settings.listen}: {reason_of(error)}"
            raise OutputError(msg, hint="`http.listen` is where /livez, /readyz and /metrics are answered") from None
        logs.logger().info("http_listening", listen=f"{settings.listen.rpartition(':')[0]}:{bound}")
        yield


class HealthApp:
    """The ASGI application that answers whoever watches a process.

    Args:
        fleet: The sessions of the process, none of which has begun.
        settings: What holds for the answers.
    """

    def __init__(self, fleet: ObservedFleet, settings: HttpSettings) -> None:
        self._fleet = fleet
        self._settings = settings
        self._metrics = _metrics(fleet)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": "there are no WebSockets here"})
            return
        if scope["method"] not in {"GET", "HEAD"}:
            await _respond(send, 405, "only GET\n", [(b"allow", b"GET, HEAD")])
            return
        match scope["path"]:
            case "/livez":
                await _tell(send, liveness(self._fleet))
            case "/readyz":
                await _tell(send, readiness(self._fleet, grace_s=self._settings.reconnect_grace_s))
            case "/metrics":
                await self._measure(scope, send)
            case _:
                await _respond(send, 404, _PATHS)

    async def _measure(self, scope: Scope, send: Send) -> None:
        if self._metrics is None:
            await _respond(send, 501, f"metrics need prometheus-client: {install_command('metrics')}\n")
            return
        accepts = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        text, kind = self._metrics.rendered(accepts)
        await _respond(send, 200, text, kind=kind)


async def _tell(send: Send, health: Health) -> None:
    lines = ["ok" if health.is_well else "not ok", *health.reasons]
    await _respond(send, 200 if health.is_well else 503, "".join(f"{line}\n" for line in lines))


def _metrics(fleet: ObservedFleet) -> Metrics | None:
    """What counts, None where the library for that is not installed."""
    if find_spec("prometheus_client") is None:
        return None
    from runner.operations.metrics import Metrics

    return Metrics(fleet)


async def _respond(send: Send, status: int, text: str | bytes, more: Headers = (), *, kind: str = _PLAIN) -> None:
    body = text if isinstance(text, bytes) else text.encode(errors="replace")
    headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store"), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
