"""One live session: the pump between a connection, the state machine and everything that reads or writes."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio
from pydantic_core import from_json

from runner.connect.websocket import Closed, WebSocket
from runner.errors import EndpointUnreachable, IllegalEvent, ProtocolError, RunnerError, SessionRefused
from runner.protocol.effects import Effect, ErrorReported, EventMalformed, Opened, ResponseEnded
from runner.protocol.fields import JsonObject
from runner.protocol.state import SessionState
from runner.session import logbook
from runner.session.queue import ByteQueue
from runner.session.update import Update

if TYPE_CHECKING:
    from runner.protocol.client_events import ClientEventBase

MAX_EVENTS_BYTES = 64 * 1024 * 1024
"""How much `async for event in session` may fall behind, in bytes."""
MAX_MALFORMED_MESSAGES = 100
"""After so many messages in a row that are no events, the peer is given up."""

Dialect = Callable[[JsonObject], JsonObject]
Reader = Callable[[Update], None]


class Session:
    """A session that is open and configured; made by `open_session`.

    Args:
        connection: The open connection.
        readers: Called with each update, in order, by the pump; they must not wait.
        incoming: Translates a server event to the current protocol.
        outgoing: Translates a client event from the current protocol.
    """

    def __init__(
        self,
        connection: WebSocket,
        *,
        readers: Sequence[Reader] = (),
        incoming: Dialect = lambda event: event,
        outgoing: Dialect = lambda event: event,
    ) -> None:
        self.state = SessionState()
        self.failure: RunnerError | None = None
        """What ended the session before we did."""
        self.draining = False
        """Whether no more questions may be asked; `say` and `respond` then raise `IllegalEvent`."""
        self.first_unanswered: RunnerError | None = None
        """Why the first request that got no answer got none."""
        self._connection = connection
        self._readers = readers
        self._incoming, self._outgoing = incoming, outgoing
        self._events: ByteQueue[JsonObject] = ByteQueue(MAX_EVENTS_BYTES)
        self._events_lost = False
        self._unread: deque[JsonObject] = deque()
        self._changed = anyio.Event()
        self._turn = anyio.Lock()
        self._malformed = 0
        self._refused: RunnerError | None = None

    async def send(self, event: Mapping[str, Any] | ClientEventBase) -> str:
        """Send one client event.

        Args:
            event: The event, as a typed client event or as the API's JSON.

        Returns:
            Its `event_id`, given by us unless it had one.

        Raises:
            IllegalEvent: the session's state does not allow it.
            RunnerError: the session has ended.
        """
        self._check()
        plain = self.state.identified(dict(event) if isinstance(event, Mapping) else event.to_wire())
        message = _encoded(self._outgoing(plain))
        self.state.send(plain)
        try:
            await self._connection.send(message)
        except Closed:
            self._check()
        except RunnerError as error:
            self._fail(error)
            raise
        return str(plain["event_id"])

    async def say(self, text: str) -> None:
        """Say something as the user and ask for an answer, after all answers that were asked for before."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        async with self._turn:
            await self._free()
            # Once it is said, an answer must be asked for, or a drain would leave the question standing.
            with anyio.CancelScope(shield=True):
                await self.send({"type": "conversation.item.create", "item": item})
                await self.send({"type": "response.create"})

    async def respond(self, **response: Any) -> None:
        """Ask for a response, after all that were asked for before; arguments are the API's `response` object."""
        event: JsonObject = {"type": "response.create"}
        if response:
            event["response"] = response
        async with self._turn:
            if response.get("conversation") != "none":
                await self._free()
            await self.send(event)

    async def cancel(self) -> None:
        """Cancel the response in flight; without one nothing happens."""
        if self.state.busy:
            await self.send({"type": "response.cancel"})

    async def update(self, **session: Any) -> None:
        """Change the session's configuration; arguments are fields of the API's `session` object."""
        kind = self.state.effective.get("type", "realtime")
        await self.send({"type": "session.update", "session": {"type": kind, **session}})

    async def settled(self) -> None:
        """Wait until no response is asked for or in flight; raises the session's failure if it ends before."""
        while self.state.busy:
            await self._change()
        self._check()

    async def finished(self) -> None:
        """Wait for all that was asked for, transcriptions too; raises the session's failure if it ends before."""
        while self.state.pending:
            await self._change()
        self._check()

    async def ended(self) -> None:
        """Wait until the session has ended by the endpoint's doing or by ours."""
        while self.state.phase != "closed":
            await self._change()

    def __aiter__(self) -> Session:
        """Every server event since the session was opened; ends with it, or raises what ended it."""
        return self

    async def __anext__(self) -> JsonObject:
        if not self._unread:
            if self._events_lost:
                msg = f"more than {MAX_EVENTS_BYTES} bytes of events waited to be read"
                raise RunnerError(msg, hint="read `async for event in session` as events come")
            self._unread.extend(await self._events.get_all())
        if self._unread:
            return self._unread.popleft()
        if self.failure:
            raise self.failure
        raise StopAsyncIteration

    async def configure(self, update: JsonObject, *, timeout_s: float) -> None:
        """Wait for the endpoint's greeting, send the configuration, and wait for its confirmation.

        Args:
            update: The first `session.update`.
            timeout_s: How long the endpoint may take for each of the two, in seconds.

        Raises:
            SessionRefused: the endpoint answers with an error.
            EndpointUnreachable: it answers nothing in time.
        """
        await self._awaited("session.created", lambda: bool(self.state.effective), timeout_s)
        await self.send(update)
        await self._awaited("session.updated", lambda: self.state.phase == "ready", timeout_s)

    async def pump(self) -> None:
        """Receive until the connection ends; never waits for a reader."""
        try:
            while self.state.phase != "closed":
                self.take(await self._connection.receive())
        except Closed:
            pass
        except RunnerError as error:
            self._fail(error)
        finally:
            self._end()

    async def close(self) -> None:
        """End the session: the closing handshake with code 1000, within a bounded time; last events still count."""
        await self._connection.close()
        await self.ended()

    def take(self, message: str | bytes) -> None:
        """Take in one message of the connection and pass on what it means."""
        size_bytes = len(message)
        try:
            event = from_json(message) if isinstance(message, str) else None
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self._take_malformed(size_bytes)
            return
        self._malformed = 0
        event = self._incoming(event)
        effects = self.state.receive(event)
        self._publish(Update(event, tuple(effects), time.time(), size_bytes))
        for effect in effects:
            self._apply(effect)
        self._wake()

    def _take_malformed(self, size_bytes: int) -> None:
        self._malformed += 1
        problem = EventMalformed("", f"a message of {size_bytes} bytes is not a JSON object")
        logbook.record((problem,))
        if self._malformed >= MAX_MALFORMED_MESSAGES:
            self._fail(ProtocolError(f"{MAX_MALFORMED_MESSAGES} messages in a row were no JSON objects"))

    def _apply(self, effect: Effect) -> None:
        match effect:
            case Opened(session_id=session_id):
                logbook.bind(session_id=session_id)
            case ErrorReported(severity="fatal", error=error):
                self._fail(error)
            case ErrorReported(error=error, client_event_type=cause, severity=severity):
                if self.state.phase == "configuring" and cause in {"session.update", ""}:
                    self._refused = SessionRefused(
                        f"the endpoint refused the session's configuration: {error.message}", code=error.code
                    )
                elif cause and severity != "harmless":
                    self.first_unanswered = self.first_unanswered or error
            case ResponseEnded(status=status, error=error):
                if status in {"failed", "refused"}:
                    self.first_unanswered = self.first_unanswered or error
            case _:
                pass

    def _publish(self, update: Update) -> None:
        logbook.record(update.effects)
        for reader in self._readers:
            reader(update)
        if update.event is not None and not self._events.put(update.event, update.size_bytes):
            self._events_lost = True

    def _fail(self, error: RunnerError) -> None:
        if self.state.phase != "closed":
            self.failure = error
        self._end()

    def _end(self) -> None:
        if self.state.phase != "closed":
            effects = self.state.close()
            if effects:
                self._publish(Update(None, tuple(effects), time.time(), 0))
            self._events.close()
        self._wake()

    def _check(self) -> None:
        if self.failure:
            raise self.failure
        if self.state.phase == "closed":
            msg = "the session is closed"
            raise IllegalEvent(msg)

    async def _free(self) -> None:
        await self.settled()
        if self.draining:
            msg = "the session is being drained and takes no more questions"
            raise IllegalEvent(msg)

    def _wake(self) -> None:
        self._changed.set()

    async def _change(self) -> None:
        self._changed = anyio.Event() if self._changed.is_set() else self._changed
        await self._changed.wait()

    async def _awaited(self, what: str, reached: Callable[[], bool], timeout_s: float) -> None:
        with anyio.move_on_after(timeout_s) as scope:
            while not reached():
                self._check()
                if self._refused:
                    raise self._refused
                await self._change()
        if scope.cancelled_caught:
            msg = f"the endpoint sent no `{what}` within {timeout_s:g} s"
            raise EndpointUnreachable(msg, hint="does it speak the Realtime protocol?")


def _encoded(event: JsonObject) -> str:
    try:
        message = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"`{event.get('type')}` cannot be written as JSON: {error}"
        raise IllegalEvent(msg) from None
    try:
        message.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair is legal in JSON, as an escape only.
        return json.dumps(event, separators=(",", ":"))
    return message
