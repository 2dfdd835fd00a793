"""The local endpoint as an ASGI application, for rt-run's own server and for any other."""

import time
from typing import TYPE_CHECKING, Final

import anyio
from anyio.to_thread import run_sync

from runner import logs
from runner.errors import RunnerError
from runner.local.server.asgi import Receive, Scope, Send
from runner.local.server.asgi_responses import accept, deny, error_body, require_upgrade, respond
from runner.local.server.faulty_stream import EXTENSION
from runner.local.server.requested_session import RequestedSession, kind_at, requested_session
from runner.local.server.session_driver import SessionDriver, Workers
from runner.local.session.api_error import ApiError
from runner.local.session.fault_plan import ConnectionFaults, FaultPlan
from runner.local.session.faulty_session import FaultySession
from runner.local.session.local_session import LocalSession
from runner.local.session.server_event import text_of
from runner.local.session.stored_sessions import StoredSessions
from runner.local.speech.engines import Engines, engines_for
from runner.settings.endpoint import LocalEndpoint

if TYPE_CHECKING:
    from runner.settings.faults import RefuseFault

_BETA_SHAPE: Final = "The beta shape of the Realtime API is switched off: connect without the OpenAI-Beta header."


class LocalApp:
    """Serves `…/realtime` and `…/live/sessions` over WebSocket as the API does; it needs no key and accepts any.

    Args:
        settings: The script of replies, the limit of a session, the pace of its responses, and the faults, which are
            planned for the connections to this application.
        engines: The engines of all sessions, or None to load those that the settings ask for.
    """

    def __init__(self, settings: LocalEndpoint, engines: Engines | None = None) -> None:
        self._settings = settings
        self._plan = FaultPlan(settings.faults, settings.fault_seed)
        self._engines = engines
        self._workers: Workers | None = None
        self._loading: anyio.Lock | None = None
        self._stored = StoredSessions()

    async def load(self) -> Engines:
        """Load the engines of all sessions, once; the first session loads them if the caller has not.

        Raises:
            ProfileError: The settings ask for an engine that is not installed.
            SecretError: The key for the language model's server is not there.
        """
        if self._engines is None:
            self._loading = self._loading or anyio.Lock()
            async with self._loading:
                return await self._load()
        return self._engines

    async def _load(self) -> Engines:
        # A session that waited for the lock finds them loaded.
        if self._engines is None:
            self._engines = await self._made()
        return self._engines

    async def _made(self) -> Engines:
        settings = self._settings
        brain_key = None
        if settings.brain.kind == "chat" and settings.brain.api_key is not None:
            from runner.connect.secrets import resolve

            brain_key = await resolve(settings.brain.api_key)
        if settings.speech == "models":
            return await run_sync(engines_for, settings, brain_key)
        return engines_for(settings, brain_key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI defines it."""
        if scope["type"] == "lifespan":
            await _serve_lifespan(receive, send)
        elif scope["type"] == "http":
            await self._answer_http(scope, send)
        elif scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)

    async def _answer_http(self, scope: Scope, send: Send) -> None:
        if kind_at(scope["path"]) is None:
            await respond(send, *_not_found(scope))
        else:
            await require_upgrade(send)

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        requested = requested_session(scope)
        if requested is None:
            return await deny(scope, send, *_not_found(scope))
        if requested.lacks_model:
            body = error_body("You must provide a model parameter.", "missing_model", param="model")
            return await deny(scope, send, 400, body)
        if problem := self._unforkable(requested.forked_id):
            return await deny(scope, send, *problem)
        faults = self._plan.next_connection()
        if delayed := faults.claim("delay"):
            await anyio.sleep(delayed.delay_s)
        if refused := faults.claim("refuse"):
            return await _refuse(scope, send, refused)
        try:
            engines = await self.load()
        except RunnerError as error:
            message = f"{error.message}. {error.hint}"
            logs.logger().error("faculties_missing", error=error.message, hint=error.hint)
            return await deny(scope, send, 500, error_body(message, "faculties_missing", kind="server_error"))
        await accept(scope, send)
        if requested.wants_beta:
            return await _refuse_beta(send)
        return await self._serve_session(scope, receive, send, engines, faults, requested)

    def _unforkable(self, session_id: str) -> tuple[int, bytes] | None:
        """The answer to a client that forks a session that cannot be forked."""
        if not session_id or self._stored.find(session_id):
            return None
        if self._stored.is_open(session_id):
            return 409, error_body(f"The session '{session_id}' is not closed yet.", "session_not_closed")
        return 404, error_body(f"There is no stored session with the id '{session_id}'.", "session_not_found")

    async def _serve_session(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        engines: Engines,
        faults: ConnectionFaults,
        requested: RequestedSession,
    ) -> None:
        limit_s = self._settings.session_limit_s
        if expire := faults.claim("expire"):
            limit_s = min(limit_s, expire.after_s)
        # Whole seconds, rounded down: the client never sees a time after the end.
        expires_at = int(time.time() + limit_s)
        self._workers = self._workers or Workers()
        session = self._new_session(requested, engines, faults, expires_at)
        logs.introduce(session.id)
        logs.logger().info(
            "local_session_opened",
            id=session.id,
            kind=requested.kind,
            # The first event of a Live session names its model.
            **({"model": requested.model} if requested.model else {}),
            simulated=engines.speech.simulated or engines.new_language_model is None,
            speech=self._settings.speech,
            brain=self._settings.brain.kind,
        )
        driver = SessionDriver(
            session,
            receive,
            send,
            workers=self._workers,
            language_model=engines.new_language_model() if engines.new_language_model else None,
            faults=faults,
            stream=(scope.get("extensions") or {}).get(EXTENSION),
            interval_ms=session.interval_ms or self._settings.delta_interval_ms,
            limit_s=limit_s,
        )
        self._stored.open(session)
        try:
            await driver.run()
        finally:
            self._stored.close(session)
        logs.logger().debug("local_session_closed", id=session.id)

    def _new_session(
        self, requested: RequestedSession, engines: Engines, faults: ConnectionFaults, expires_at: int
    ) -> LocalSession:
        # Other sessions do not wait until the event models of a translation or a Live session are built.
        if requested.kind == "translation":
            from runner.local.session.translating_session import TranslatingSession

            return TranslatingSession(engines, model=requested.model, expires_at=expires_at)
        if requested.kind == "live":
            from runner.local.session.faulty_duplex_session import FaultyDuplexSession

            forked = self._stored.find(requested.forked_id)
            return FaultyDuplexSession(engines, faults, expires_at=expires_at, clock=anyio.current_time, forked=forked)
        return FaultySession(
            engines,
            faults,
            kind=requested.kind,
            model=requested.model,
            expires_at=expires_at,
            is_deployment=requested.is_deployment,
        )


async def _refuse_beta(send: Send) -> None:
    error = ApiError(_BETA_SHAPE, code="beta_api_shape_disabled").event()
    await send({"type": "websocket.send", "text": text_of(error)})
    await send({"type": "websocket.close", "code": 4000, "reason": "invalid_request_error.beta_api_shape_disabled"})


async def _serve_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _refuse(scope: Scope, send: Send, fault: "RefuseFault") -> None:
    headers = [] if fault.retry_after_s is None else [(b"retry-after", str(fault.retry_after_s).encode())]
    kind = "server_error" if fault.status >= 500 else "invalid_request_error"
    await deny(scope, send, fault.status, error_body(fault.message, fault.code, kind=kind), headers)


def _not_found(scope: Scope) -> tuple[int, bytes]:
    return 404, error_body(f"Invalid URL ({scope.get('method', 'GET')} {scope['path']})", "unknown_url")
