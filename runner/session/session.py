"""One session as a program sees it: one conversation, whatever connections it is carried by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from time import time
from typing import TYPE_CHECKING, Any

import anyio

from runner.errors import IllegalEvent
from runner.session.backlog import Backlog
from runner.session.carriage import CarriedSession
from runner.session.client_event import appended_audio
from runner.session.link import Link, NotSent
from runner.session.recorder import closed_note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.api.client_events import ClientEventBase
    from runner.protocol.json_fields import JsonObject
    from runner.session.pump import Reader

MAX_EVENTS_BYTES = 64 * 1024 * 1024
"""How far `async for event in session` may fall behind unless the caller says otherwise, in bytes."""


class Session(CarriedSession):
    """A session that outlives its connections; made by `open_session`.

    Between two connections everything that is said waits: text until the next one is there, audio as long as it may.

    Args:
        readers: Called with each update; they must not wait.
        max_events_bytes: How far `async for event in session` may fall behind; 0 keeps nothing for it.
        max_audio_age_s: How long audio may wait for a connection, in seconds.
    """

    def __init__(
        self, *, readers: Sequence[Reader] = (), max_events_bytes: int = MAX_EVENTS_BYTES, max_audio_age_s: float = 0.0
    ) -> None:
        self._backlog = Backlog(max_events_bytes) if max_events_bytes else None
        readers = [*readers, *([self._backlog.take] if self._backlog else [])]
        super().__init__(readers=readers, max_audio_age_s=max_audio_age_s)
        self._is_draining = False
        self._is_playing: Callable[[], bool] = bool
        self._input_readers: list[Callable[[bytes | bytearray | memoryview], None]] = []

    @cached_property
    def _turn(self) -> anyio.Lock:
        """Who asks first is answered first; a session in which nobody asks needs no lock."""
        return anyio.Lock()

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
        is_waiting = self.link is None or self._is_undecided or self._waiting_audio is not None
        audio = appended_audio(event) if is_waiting or self._input_readers else b""
        if is_waiting and audio:
            self._keep(audio)
            event_id = ""
        else:
            event_id = (await self._transmit(event))[0]
        if audio:
            self._record(audio)
        return event_id

    async def say(self, text: str) -> None:
        """Say something as the user and ask for an answer, after all answers that were asked for before."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        async with self._turn:
            await self._transmit(
                {"type": "conversation.item.create", "item": item}, {"type": "response.create"}, when_free=True
            )

    async def respond(self, **response: Any) -> None:
        """Ask for a response, after all that were asked for before; arguments are the API's `response` object."""
        event: JsonObject = {"type": "response.create"}
        if response:
            event["response"] = response
        async with self._turn:
            await self._transmit(event, when_free=response.get("conversation") != "none")

    async def cancel(self) -> None:
        """Cancel the response in flight; without one nothing happens."""
        self.state.drop_retries()
        if self.state.busy:
            await self.send({"type": "response.cancel"})

    async def append_audio(self, audio: bytes | bytearray | memoryview) -> None:
        """Send audio for the endpoint's input buffer, in the session's input format; raises as `send` does.

        Between two connections it waits, as long as `run.reconnect.max_audio_age_s` says, and is then dropped.
        """
        if self.link is not None and self._waiting_audio is None:
            try:
                await self.link.append_audio(audio)
            except NotSent:
                pass
            else:
                return self._record(audio)
        self._keep(audio)
        return self._record(audio)

    async def update(self, **session: Any) -> None:
        """Change the session's configuration; arguments are fields of the API's `session` object."""
        # A translation's configuration has no type.
        kind = {} if self.state.kind == "translation" else {"type": self.state.effective.get("type", "realtime")}
        await self.send({"type": "session.update", "session": {**kind, **session}})

    def drain(self) -> None:
        """Take no more questions: `say` and `respond` raise `IllegalEvent` from now on."""
        self._is_draining = True

    def play_by(self, is_playing: Callable[[], bool]) -> None:
        """Ask `is_playing` whether an answer is being heard; a connection is then replaced only where it must be."""
        self._is_playing = is_playing

    @property
    def is_playing(self) -> bool:
        """Whether an answer is being heard."""
        return self._is_playing()

    def read_input(self, read: Callable[[bytes | bytearray | memoryview], None]) -> None:
        """Call `read`, which must not wait, with the audio that goes in, in the session's input format."""
        self._input_readers.append(read)

    async def wait_answered(self) -> None:
        """Wait until no response is asked for or in flight; raises the session's failure if it ends before."""
        while (self.state.busy or self._is_undecided) and not self._is_over:
            await self.changes.next()
        self.check()

    async def wait_idle(self) -> None:
        """Wait for all that was asked for, transcriptions too; raises the session's failure if it ends before."""
        while (self.state.is_pending or self._is_undecided or self._has_unsent_audio) and not self._is_over:
            await self.changes.next()
        if not self.state.translation.is_concluded:
            self.check()

    async def wait_over(self) -> None:
        """Wait until the session has ended by the endpoint's doing or by ours."""
        while not self._is_over:
            await self.changes.next()

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

    async def aclose(self) -> None:
        """End the session: the closing handshake with code 1000, within a bounded time; last events still count."""
        self.is_closing = True
        if not self._is_over and self.link is not None:
            self.link.note(closed_note())
            await self.link.close()
        self.end()

    async def abort(self) -> None:
        """Cut the connection without a farewell, whatever is being sent."""
        self.is_closing = True
        if self.link is not None:
            await self.link.abort()
        self.end()

    def _record(self, audio: bytes | bytearray | memoryview) -> None:
        for read in self._input_readers:
            read(audio)

    async def _transmit(self, *events: Mapping[str, Any] | ClientEventBase, when_free: bool = False) -> list[str]:
        while True:
            link = await self._carrier(when_free=when_free)
            try:
                return await link.send(*events)
            except NotSent:
                # Its end has not been dealt with yet.
                await link.over()
                while self.link is link and not self._is_over:
                    await self.changes.next()

    async def _carrier(self, *, when_free: bool) -> Link:
        """The connection to send on; `when_free` also waits until nothing is in the way of a new turn."""
        while True:
            self.check()
            if when_free and self._is_draining:
                msg = "the session is being drained and takes no more questions"
                raise IllegalEvent(msg)
            if self.link is None or self._waiting_audio or (when_free and (self.is_holding or self.state.busy)):
                await self.changes.next()
            elif when_free and (wait_s := self.state.rate_limits.wait_s(time())) > 0:
                with anyio.move_on_after(wait_s):
                    await self.changes.next()
            else:
                return self.link
