"""The local endpoint as an ASGI application, for rt-run's own server and for any other."""

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

import anyio

from runner import logs
from runner.local.brain import Brain
from runner.local.configuration import SessionKind
from runner.local.response import Event, event
from runner.local.session import LocalSession
from runner.settings.endpoint import LocalEndpoint

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


_BETA_SHAPE: Final = "The beta shape of the Realtime API is switched off: connect without the OpenAI-Beta header."
_DEFAULT_MODEL: Final = "gpt-realtime"


class LocalApp:
    """Answers `…/realtime` over WebSocket as the Realtime API does; no key is needed and any is accepted.

    Args:
        settings: The script, the session's limit and the pace of answers.
    """

    def __init__(self, settings: LocalEndpoint) -> None:
        self._settings = settings
        self._brain = Brain(settings.script)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI defines it."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._answer_http(scope, send)
        elif scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)

    async def _answer_http(self, scope: Scope, send: Send) -> None:
        if _is_realtime(scope["path"]):
            status, body = 426, error_body("This is a WebSocket endpoint; upgrade the connection.", "upgrade_required")
        else:
            status, body = _not_found(scope)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if status == 426:
            headers.append((b"upgrade", b"websocket"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        kind: SessionKind = "transcription" if query.get("intent") == "transcription" else "realtime"
        model = query.get("model") or (_DEFAULT_MODEL if query.get("call_id") else "")
        if not _is_realtime(scope["path"]):
            return await _deny(scope, send, *_not_found(scope))
        if kind == "realtime" and not model:
            body = error_body("You must provide a model parameter.", "missing_model", param="model")
            return await _deny(scope, send, 400, body)
        offered = scope.get("subprotocols", [])
        await send({"type": "websocket.accept", "subprotocol": "realtime" if "realtime" in offered else None})
        if _wants_beta(scope):
            fault = {"type": "invalid_request_error", "code": "beta_api_shape_disabled", "message": _BETA_SHAPE}
            await _send_event(send, event("error", error={**fault, "param": None, "event_id": None}))
            await send(
                {"type": "websocket.close", "code": 4000, "reason": "invalid_request_error.beta_api_shape_disabled"}
            )
            return None
        expires_at = int(time.time() + self._settings.session_limit_s)
        session = LocalSession(self._brain, kind=kind, model=model, expires_at=expires_at)
        logs.logger().info("local_session_opened", session_id=session.id, kind=kind, model=model, simulated=True)
        await _Pump(session, self._settings, receive, send).run()
        logs.logger().debug("local_session_closed", session_id=session.id)
        return None


class _Pump:
    """Moves one session's events; the lock keeps them in the order in which they came about."""

    def __init__(self, session: LocalSession, settings: LocalEndpoint, receive: Receive, send: Send) -> None:
        self._session = session
        self._settings = settings
        self._receive = receive
        self._send = send
        self._order = anyio.Lock()
        self._work = anyio.Event()

    async def run(self) -> None:
        """Until the client goes or the session's time is over."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._expire, tasks.cancel_scope)
                tasks.start_soon(self._stream)
                await self._read()
                tasks.cancel_scope.cancel()
        except* OSError:
            # ASGI: sending to a client that has gone raises OSError.
            logs.logger().info("client_lost", session_id=self._session.id)

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
                await anyio.sleep(self._settings.delta_interval_ms / 1000)
                await self._emit(self._session.advance)

    async def _expire(self, scope: anyio.CancelScope) -> None:
        limit_s = self._settings.session_limit_s
        await anyio.sleep(limit_s)
        minutes = f"{limit_s / 60:.3g}"
        reason = f"Your session hit the maximum duration of {minutes} minute{'' if minutes == '1' else 's'}."
        await self._emit(partial(self._session.expire, reason))
        await self._send({"type": "websocket.close", "code": 1001, "reason": reason})
        scope.cancel()

    async def _emit(self, produce: Callable[[], list[Event]]) -> None:
        async with self._order:
            for each in produce():
                await _send_event(self._send, each)


async def _send_event(send: Send, content: Event) -> None:
    await send({"type": "websocket.send", "text": json.dumps(content, ensure_ascii=False, separators=(",", ":"))})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _deny(scope: Scope, send: Send, status: int, body: bytes) -> None:
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008, "reason": "invalid_request_error"})
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def error_body(message: str, code: str, *, param: str | None = None) -> bytes:
    """The JSON of an HTTP error as the API shapes it."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return json.dumps({"error": error}).encode()


def _not_found(scope: Scope) -> tuple[int, bytes]:
    return 404, error_body(f"Invalid URL ({scope.get('method', 'GET')} {scope['path']})", "unknown_url")


def _is_realtime(path: str) -> bool:
    return path.rstrip("/").endswith("/realtime")


def _wants_beta(scope: Scope) -> bool:
    headers = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"openai-beta"]
    return any("realtime=v1" in value for value in headers) or "openai-beta.realtime-v1" in scope.get(
        "subprotocols", []
    )
