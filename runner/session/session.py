"""One session as a program sees it: one conversation, whatever connections carry it."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from runner.errors import IllegalEvent
from runner.protocol.effects import Effect
from runner.session.conclusion import conclude
from runner.session.outbox import Audio, Outbox
from runner.session.questions import Questions
from runner.session.recorder import closed_note
from runner.session.subscription import MAX_UNREAD_BYTES, Subscription

if TYPE_CHECKING:
    from runner.api.client_events import ClientEventBase, ResponseCreateParams
    from runner.api.session_config import AnySession
    from runner.connect.changes import Changes
    from runner.errors import RunnerError
    from runner.protocol.json_fields import JsonObject
    from runner.protocol.state import SessionState
    from runner.protocol.usage import Usage
    from runner.session.carriage import Carriage
    from runner.session.link import Link
    from runner.session.resumption import Resumption
    from runner.session.session_tools import SessionTools

Function = TypeVar("Function", bound=Callable[..., Any])


class Session:
    """A session that outlives its connections; `open_session` makes it.

    Between two connections everything that goes out waits: events until the next one is there, audio as long as
    `run.reconnect.max_audio_age_s` says.

    Programs may rely on `id`, `is_resumed`, `usage`, `failure`, `ask`, `stream`, `effects`, `events`, `say`, `send`,
    `respond`, `cancel`, `update`, `append_audio`, `tool`, `wait_idle`, `aclose`. Everything else is internal.

    Args:
        carriage: Where the session is.
        outbox: What goes out of it.
        tools: What its model may call, None where it calls nothing.
    """

    def __init__(self, carriage: Carriage, outbox: Outbox, tools: SessionTools | None = None) -> None:
        self._carriage = carriage
        self._outbox = outbox
        self.tools = tools
        self.resumption: Resumption | None = None
        self._questions = Questions(carriage, outbox, tools)

    @property
    def id(self) -> str:
        """The endpoint's name of the session's first connection, which is the session's in all logs."""
        return self._carriage.id

    @property
    def is_resumed(self) -> bool:
        """Whether it goes on where another process has left it, as `[run.resume]` says."""
        return self.resumption is not None and self.resumption.is_resumed

    @property
    def usage(self) -> Usage:
        """What the session has used, over all its connections and processes."""
        return self._carriage.state.usage

    @property
    def failure(self) -> RunnerError | None:
        """What ended the session before the client did."""
        return self._carriage.failure

    async def ask(self, text: str) -> str:
        """Ask a question as the user and wait for the answer.

        Args:
            text: The question.

        Returns:
            The text of the answer, or the transcript of a spoken one. An answer that is cancelled or cut short by a
            limit is what came of it.

        Raises:
            IllegalEvent: The session takes no questions, or the question is no text.
            RunnerError: There is no answer; which branch of the tree says why.
        """
        async with self._questions.asking(text) as reply:
            while await reply.next():
                pass
        return reply.text

    async def stream(self, text: str) -> AsyncGenerator[str]:
        """Ask a question as the user and give the answer in the pieces in which it comes; raises as `ask` does.

        Where the answer is retried, because it failed or its connection was lost, it begins anew.
        """
        async with self._questions.asking(text) as reply:
            while piece := await reply.next():
                yield piece

    def effects(self, *, max_bytes: int = MAX_UNREAD_BYTES) -> Subscription[Effect]:
        """What the server's events mean, typed, from this call on until the session ends.

        Args:
            max_bytes: How far the program may fall behind, in bytes of events; then reading raises `RunnerError`.
        """
        return Subscription(self._carriage, lambda update: update.effects, max_bytes)

    def events(self, *, max_bytes: int = MAX_UNREAD_BYTES) -> Subscription[JsonObject]:
        """The server's events as JSON, from this call on until the session ends; `max_bytes` as in `effects`."""
        return Subscription(self._carriage, lambda update: [update.event] if update.event else [], max_bytes)

    async def say(self, text: str) -> None:
        """Say something as the user and ask for a response, after all responses that were asked for before."""
        await self._questions.say(text)

    async def send(self, event: Mapping[str, Any] | ClientEventBase) -> str:
        """Send one client event.

        Args:
            event: The event, as a typed client event or as the API's JSON.

        Returns:
            Its `event_id`, which is the session's unless it had one.

        Raises:
            IllegalEvent: The session's state does not allow it.
            RunnerError: The session has ended.
        """
        return await self._outbox.send(event)

    async def respond(self, response: ResponseCreateParams | None = None, /, **fields: Any) -> None:
        """Ask for a response, after all that were asked for before.

        Args:
            response: The API's `response` object.
            fields: Its fields one by one, which go before those of the object.
        """
        params = {**(response.model_dump(mode="json", exclude_unset=True) if response else {}), **fields}
        event = {"type": "response.create", **({"response": params} if params else {})}
        send = self._outbox.send if params.get("conversation") == "none" else self.send_in_turn
        await send(event)

    async def cancel(self) -> None:
        """Cancel the response in flight and those to be retried; without any nothing happens.

        A Live session cannot be told to be silent: it stops when somebody speaks.
        """
        state = self._carriage.state
        self._questions.cancel(state.drop_retries())
        if self.tools:
            self.tools.interrupt()
        self._carriage.changes.notify()
        if state.pending.busy and state.kind != "live":
            await self.send({"type": "response.cancel"})

    @overload
    def tool(self, function: Function, /) -> Function: ...
    @overload
    def tool(self, /, **settings: Any) -> Callable[[Function], Function]: ...
    def tool(self, function: Any = None, /, **settings: Any) -> Any:
        """Offer a function of the program to the model, as a decorator: `@session.tool`, or with keys of `[[tools]]`.

        Its docstring describes it, and its annotations make the schema of its arguments; it may be asynchronous. Raises
        `ProfileError` where a model cannot call it or a setting is wrong.
        """
        if function is None:
            return lambda each: self.tool(each, **settings)
        if self.tools is None:
            msg = "this session calls no tools"
            raise IllegalEvent(msg)
        self.tools.add(function, **settings)
        return function

    def append_audio(self, audio: Audio) -> Coroutine[Any, Any, None]:
        """Append audio to the endpoint's input buffer, in the session's input format; raises as `send` does.

        Between two connections it waits, as long as `run.reconnect.max_audio_age_s` says, and is then dropped.
        """
        # On the hot path, so without a coroutine of its own around the one that does it.
        return self._outbox.append_audio(audio)

    async def update(self, session: AnySession | None = None, /, **fields: Any) -> None:
        """Change the session's configuration.

        Args:
            session: The API's `session` object.
            fields: Its fields one by one, which go before those of the object.
        """
        state = self._carriage.state
        # The configuration of a translation or a Live session has no type.
        kind = {} if state.kind in {"translation", "live"} else {"type": state.kind}
        given = session.model_dump(mode="json", exclude_unset=True) if session else {}
        await self.send({"type": "session.update", "session": {**kind, **given, **fields}})

    async def wait_idle(self) -> None:
        """Wait for all that is pending, transcriptions too; raises the session's failure if it ends before."""
        await self._wait(lambda: not (self._carriage.state.is_pending or self._outbox.has_waiting_audio))
        if not self._carriage.state.closing.is_concluded:
            self._carriage.check()

    async def aclose(self) -> None:
        """End the session: the closing handshake with code 1000, within a bounded time; last events still count."""
        try:
            if link := self._carriage.leave():
                link.note(closed_note())
                await link.close()
        finally:
            self._carriage.end()

    @property
    def state(self) -> SessionState:
        """What is known of the session, on its latest connection."""
        return self._carriage.state

    @property
    def carriage(self) -> Carriage:
        """Where the session is."""
        return self._carriage

    @property
    def changes(self) -> Changes:
        """Notified of everything but pieces of answers."""
        return self._carriage.changes

    @property
    def link(self) -> Link | None:
        """The connection that carries the session, None between two and after the end."""
        return self._carriage.link

    @property
    def epoch(self) -> int:
        """The number of the connection that carries the session, or carried it last; 0 before the first."""
        return self._carriage.epoch

    @property
    def is_over(self) -> bool:
        """Whether the session has ended, by the endpoint's doing or by the client's."""
        return self._carriage.is_over

    @property
    def first_unanswered(self) -> RunnerError | None:
        """Why the first request that got no answer got none."""
        return self._carriage.first_unanswered

    def give_up(self, error: RunnerError) -> None:
        """Note why something that was asked for, or said, will not be answered; the first such reason counts."""
        self._carriage.give_up(error)

    @property
    def dropped_audio_bytes(self) -> int:
        """How much audio was not sent because it had waited for a connection for too long, in bytes."""
        return self._outbox.dropped_bytes

    def drain(self) -> None:
        """Take no more questions: `say`, `ask` and `respond` raise `IllegalEvent` from now on."""
        self._outbox.drain()

    def play_by(self, is_playing: Callable[[], bool]) -> None:
        """Ask `is_playing` whether an answer is being heard; a connection is then replaced only where it must be."""
        self._carriage.play_by(is_playing)

    async def send_in_turn(self, *events: Mapping[str, Any]) -> None:
        """Send client events that ask for a response, right after each other, once all asked for before are over."""
        await self._questions.send_in_turn(*events)

    def read_input(self, read: Callable[[Audio], None]) -> None:
        """Call `read`, which must not wait, with the audio that goes in, in the session's input format."""
        self._outbox.read_input(read)

    async def wait_answered(self) -> None:
        """Wait until no response is asked for or in flight; raises the session's failure if it ends before."""
        await self._wait(lambda: not self._carriage.state.busy)
        self._carriage.check()

    async def wait_over(self) -> None:
        """Wait until the session has ended, by the endpoint's doing or by the client's."""
        await self._wait(lambda: False)

    async def conclude(self, by_s: float = math.inf) -> None:
        """Have the endpoint finish a translation before it is closed; in any other session nothing happens.

        Args:
            by_s: When to do without the rest, on the event loop's clock, in seconds.
        """
        await conclude(self._carriage, by_s)

    async def abort(self) -> None:
        """Cut the connection without a farewell, whatever is being sent."""
        try:
            if link := self._carriage.leave():
                await link.abort()
        finally:
            self._carriage.end()

    async def _wait(self, is_reached: Callable[[], bool]) -> None:
        while not (is_reached() or self._carriage.is_over):
            await self._carriage.changes.next()
