"""One live session: what a program can ask of it, on top of the pump that receives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import anyio

from runner.connect.websocket import Closed, WebSocket
from runner.errors import EndpointUnreachable, IllegalEvent, RunnerError
from runner.protocol.audio import append_message
from runner.session.backlog import Backlog
from runner.session.pump import Dialect, Pump, Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.protocol.client_events import ClientEventBase
    from runner.protocol.fields import JsonObject
    from runner.protocol.state import SessionState

MAX_EVENTS_BYTES = 64 * 1024 * 1024
"""How far `async for event in session` may fall behind unless the caller says otherwise, in bytes."""


class Session:
    """A session that is open and configured; made by `open_session`.

    Args:
        connection: The open connection.
        readers: Called with each update by the pump; they must not wait.
        max_events_bytes: How far `async for event in session` may fall behind; 0 keeps nothing for it.
        incoming: Translates a server event to the current protocol, None where the endpoint speaks it.
        outgoing: Translates a client event from the current protocol, None likewise.

    Attributes:
        draining: Whether no more questions may be asked; `say` and `respond` then raise `IllegalEvent`.
    """

    def __init__(
        self,
        connection: WebSocket,
        *,
        readers: Sequence[Reader] = (),
        max_events_bytes: int = MAX_EVENTS_BYTES,
        incoming: Dialect | None = None,
        outgoing: Dialect | None = None,
    ) -> None:
        self.draining = False
        self._backlog = Backlog(max_events_bytes) if max_events_bytes else None
        own = [self._backlog.take] if self._backlog else []
        self.pump = Pump(connection, readers=[*readers, *own], dialect=incoming)
        self._connection = connection
        self._outgoing = outgoing
        self._turn = anyio.Lock()

    @property
    def state(self) -> SessionState:
        """What is known of the session."""
        return self.pump.state

    @property
    def failure(self) -> RunnerError | None:
        """What ended the session before we did."""
        return self.pump.failure

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
        (event_id,) = await self._transmit(event)
        return event_id

    async def say(self, text: str) -> None:
        """Say something as the user and ask for an answer, after all answers that were asked for before."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        async with self._turn:
            await self._free()
            await self._transmit({"type": "conversation.item.create", "item": item}, {"type": "response.create"})

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

    async def append_audio(self, audio: bytes | bytearray | memoryview) -> None:
        """Send audio for the endpoint's input buffer, in the session's input format; raises as `send` does."""
        event = self.state.identified({"type": "input_audio_buffer.append"})
        await self._put([event], [append_message(event["event_id"], audio)])

    async def update(self, **session: Any) -> None:
        """Change the session's configuration; arguments are fields of the API's `session` object."""
        kind = self.state.effective.get("type", "realtime")
        await self.send({"type": "session.update", "session": {"type": kind, **session}})

    async def settled(self) -> None:
        """Wait until no response is asked for or in flight; raises the session's failure if it ends before."""
        while self.state.busy:
            await self.pump.change()
        self.pump.check()

    async def finished(self) -> None:
        """Wait for all that was asked for, transcriptions too; raises the session's failure if it ends before."""
        while self.state.pending:
            await self.pump.change()
        self.pump.check()

    async def ended(self) -> None:
        """Wait until the session has ended by the endpoint's doing or by ours."""
        while self.state.phase != "closed":
            await self.pump.change()

    def __aiter__(self) -> Session:
        """Every server event since the session was opened; ends with it, or raises what ended it."""
        return self

    async def __anext__(self) -> JsonObject:
        if self._backlog is None:
            msg = "this session keeps no events to be read"
            raise IllegalEvent(msg, hint="open it with `max_events_bytes` above 0")
        if (event := await self._backlog.next()) is not None:
            return event
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
        await self._awaited("session.created", lambda: self.state.greeted, timeout_s)
        await self.send(update)
        await self._awaited("session.updated", lambda: self.state.phase == "ready", timeout_s)

    async def close(self) -> None:
        """End the session: the closing handshake with code 1000, within a bounded time; last events still count."""
        await self._connection.close()
        await self.ended()

    async def abort(self) -> None:
        """Cut the connection without a farewell, whatever is being sent."""
        await self._connection.close(timeout_s=0)

    async def _transmit(self, *events: Mapping[str, Any] | ClientEventBase) -> list[str]:
        plain = [self.state.identified(_plain(event)) for event in events]
        messages = [_encoded(event if self._outgoing is None else self._outgoing(event)) for event in plain]
        await self._put(plain, messages)
        return [event["event_id"] for event in plain]

    async def _put(self, events: Sequence[JsonObject], messages: Sequence[str | bytes]) -> None:
        """Note events in the state and send them; nothing is waited for between the two, so what is noted goes out."""
        self.pump.check()
        try:
            await self._connection.ready()
            for event in events:
                self.state.send(event)
            for message in messages:
                self._connection.put(message)
            await self._connection.settled()
        except Closed:
            self.pump.check()
        except IllegalEvent:
            raise
        except RunnerError as error:
            self.pump.fail(error)
            raise

    async def _free(self) -> None:
        await self.settled()
        if self.draining:
            msg = "the session is being drained and takes no more questions"
            raise IllegalEvent(msg)

    async def _awaited(self, what: str, reached: Callable[[], bool], timeout_s: float) -> None:
        with anyio.move_on_after(timeout_s) as scope:
            while not reached():
                self.pump.check()
                if self.pump.refusal:
                    raise self.pump.refusal
                await self.pump.change()
        if scope.cancelled_caught:
            msg = f"the endpoint sent no `{what}` within {timeout_s:g} s"
            raise EndpointUnreachable(msg, hint="does it speak the Realtime protocol?")


def _plain(event: Mapping[str, Any] | ClientEventBase) -> JsonObject:
    if isinstance(event, Mapping):
        return dict(event)
    if not hasattr(event, "to_wire"):
        msg = f"a client event is a mapping or a typed event, not {type(event).__name__}"
        raise IllegalEvent(msg)
    return event.to_wire()


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
