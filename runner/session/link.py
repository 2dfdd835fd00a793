"""One connection of a session, from its configuration to its end."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from time import time
from typing import TYPE_CHECKING, Any

import anyio
from pydantic_core import from_json

from runner.api.session_types import LIVE_CHANGES, LIVE_START
from runner.connect.changes import Changes
from runner.connect.clock import clock_behind_s
from runner.connect.websocket import Closed, WebSocket
from runner.errors import EndpointUnreachable, RunnerError
from runner.protocol.audio_append import append_message
from runner.protocol.effects import FunctionAnswered, TurnEnded
from runner.session.client_event import encoded, plain_event
from runner.session.history_replay import HistoryReplay
from runner.session.live_replay import LiveReplay
from runner.session.pump import Dialect, Pump, Reader
from runner.session.session_close import OrderlyClose
from runner.session.update import Update

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.api.client_events import ClientEventBase
    from runner.protocol.effects import Effect
    from runner.protocol.json_fields import JsonObject
    from runner.protocol.state import SessionState
    from runner.session.provider import Provider
    from runner.session.recorder import Recorder
    from runner.session.renewal import Renewal
    from runner.settings.continuity import History


class NotSent(Exception):
    """The connection ended before an event was noted; another one may take it."""


class Link:
    """One connection of a session; what it hears reaches the session's readers once they are given to it.

    Args:
        connection: The open connection.
        state: What is known of the session on this connection.
        changes: Notified of everything but pieces of answers.
        lost: Called with the link when nothing more will come of the connection; it must not wait.
        epoch: The number of the connection in its session, from 1.
        incoming: Translates a server event to the current protocol, None where the endpoint speaks it.
        outgoing: Translates a client event from the current protocol, None likewise.
        recorder: Keeps a record of all events.
    """

    def __init__(
        self,
        connection: WebSocket,
        state: SessionState,
        changes: Changes,
        *,
        lost: Callable[[Link], None],
        epoch: int,
        incoming: Dialect | None = None,
        outgoing: Dialect | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.state = state
        self.epoch = epoch
        self.renewal: Renewal | None = None
        """What it was opened for, None where it only follows another one."""
        self.provider: Provider | None = None
        """By what it was opened."""
        self.forked_id = ""
        """The stored session that it forks; nothing where it forks none."""
        self.is_to_be_forked = False
        """Whether the next connection forks its session, which knows what was said to the end of it."""
        self.opened_s = anyio.current_time()
        self.took_s = 0.0
        """How long it took to open and configure it, in seconds."""
        self._opened_at_s = time()
        self._connection = connection
        self._changes = changes
        self._outgoing = outgoing
        self._recorder = recorder
        self._unread: list[Effect] = []
        self._recording: list[Reader] = [self._record] if recorder else []
        self.pump = Pump(
            connection,
            state,
            changes,
            readers=[*self._recording, self._hold_back],
            ended=lambda: lost(self),
            dialect=incoming,
        )
        self._released = anyio.Event()
        self.history = LiveReplay(state) if state.kind == "live" else HistoryReplay(state, self.pump, changes)
        self._closing = OrderlyClose(state, changes)

    @property
    def close_code(self) -> int | None:
        """The code of the endpoint's close frame, 1006 if the connection ended without one, None while it is open."""
        return self._connection.close_code

    @property
    def is_unminded(self) -> bool:
        """Whether nobody would notice that the endpoint is silent."""
        return self._connection.is_unminded

    @property
    def clock_behind_s(self) -> float:
        """How far our clock is behind the endpoint's, in seconds; 0 where it does not say or it is next to nothing."""
        response = self._connection.response
        return clock_behind_s(response.headers if response else {}, self._opened_at_s)

    @property
    def replayed_items(self) -> int:
        """How many items of the conversation were replayed on this connection."""
        return len(self.history)

    def read_by(self, readers: Sequence[Reader]) -> None:
        """Let readers hear of this connection, beginning with the turns that ended before."""
        self.pump.read_by([*self._recording, *readers])
        if self._unread:
            update = Update(None, self._unread, time(), 0)
            self._unread = []
            for reader in readers:
                reader(update)

    def mute(self) -> None:
        """Keep what still comes on this connection from the readers, since another one has taken its place.

        A translation is not muted, nor is a session that is to be forked: no other connection repeats what comes last.
        """
        if self.state.kind == "translation" or self.is_to_be_forked:
            return
        self.pump.read_by(self._recording)

    async def configure(self, update: JsonObject, *, timeout_s: float) -> None:
        """Wait for the endpoint's greeting, send the configuration, and wait for its confirmation.

        A Live session is greeted by the confirmation.

        Args:
            update: The first client event.
            timeout_s: How long the endpoint may take for each of the two, in seconds.

        Raises:
            SessionRefused: the endpoint answers with an error.
            EndpointUnreachable: it answers nothing in time.
        """
        is_live = update["type"] == LIVE_START
        if not (is_live or self.state.greeted):
            await self._awaited("session.created", lambda: self.state.greeted, timeout_s)
        with suppress(NotSent):
            # Why the connection is lost is known below.
            await self.send(update)
        confirmation = "session.started" if is_live else "session.updated"
        await self._awaited(confirmation, lambda: self.state.phase == "ready", timeout_s)

    async def prime(self, wanted: JsonObject, bounds: History, *, timeout_s: float) -> None:
        """Bring the endpoint up to the session: its configuration and the items of its conversation.

        Args:
            wanted: The configuration that is asked for by now, sent where it has changed since `configure`.
            bounds: How much of the conversation is replayed.
            timeout_s: How long the endpoint may take to confirm it, in seconds; then the session goes on without.
        """
        with suppress(NotSent):
            # The keeper learns of the end of the connection by `lost`.
            if wanted != self.state.configuration.wanted:
                if self.state.kind == "live":
                    wanted = {name: value for name, value in wanted.items() if name in LIVE_CHANGES}
                await self.send({"type": "session.update", "session": wanted})
            await self.history.replay(self.send, bounds, timeout_s)

    def lacks(self, bounds: History) -> bool:
        """Whether items of the conversation are still to be replayed on this connection."""
        return self.history.lacks(bounds)

    async def send(self, *events: Mapping[str, Any] | ClientEventBase) -> list[str]:
        """Send client events one right after another; returns their ids.

        Raises:
            IllegalEvent: the session's state does not allow one of them.
            NotSent: the connection ended before any of them was noted.
        """
        plain = [self.state.identified(plain_event(event)) for event in events]
        messages = [encoded(event if self._outgoing is None else self._outgoing(event)) for event in plain]
        await self._put(plain, messages)
        self._changes.notify()
        return [event["event_id"] for event in plain]

    async def append_audio(self, audio: bytes | bytearray | memoryview) -> None:
        """Send audio for the endpoint's input buffer; raises as `send` does."""
        event = {"type": self.state.append_type, "event_id": self.state.sent.new_id()}
        await self._put([event], [append_message(event["event_id"], audio, event["type"])])

    async def _put(self, events: Sequence[JsonObject], messages: Sequence[str | bytes]) -> None:
        """Note events in the state and send them; nothing is waited for between the two, so what is noted goes out.

        What is noted and lost with the connection stands in the state, which the next connection goes on with.
        """
        try:
            if not self.pump.is_over:
                await self._connection.ready()
        except (Closed, RunnerError):
            raise NotSent from None
        if self.pump.is_over:
            raise NotSent
        self._note(events, messages)
        try:
            for message in messages:
                self._connection.put(message)
            await self._connection.settled()
        except Closed:
            return
        except RunnerError as error:
            self.pump.fail(error)

    def _note(self, events: Sequence[JsonObject], messages: Sequence[str | bytes]) -> None:
        """Note all events in the state, or none: what is noted has to go out."""
        if len(events) > 1:
            for event in events:
                self.state.check(event)
        for event, message in zip(events, messages, strict=True):
            self.state.note_sent(event, time())
            if self._recorder:
                # Appended audio is noted without its bytes, which only the message has.
                whole = from_json(message) if event["type"] == self.state.append_type else event
                self._recorder.sent(whole, epoch=self.epoch)

    async def over(self) -> None:
        """Wait until the connection has ended or is released."""
        while not self.pump.is_over and not self._released.is_set():
            await self._changes.next()

    async def released(self) -> None:
        """Wait until the keeper has released the connection."""
        await self._released.wait()

    def release(self) -> None:
        """Have the dialer close this connection, which the session needs no more."""
        self._released.set()

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left of the connection that would have to be closed."""
        return self._connection.is_released

    async def close(self) -> None:
        """End the connection: the closing handshake with code 1000, within a bounded time; last events still count."""
        await self.conclude()
        await self._connection.close()
        self.release()

    async def conclude(self, by_s: float = math.inf) -> None:
        """Have the endpoint finish a translation or a Live session, once, within a bounded time; others finish nothing.

        Args:
            by_s: When to do without the rest, on the event loop's clock, in seconds.
        """
        with suppress(NotSent):
            await self._closing.finish(self.send, by_s)

    async def abort(self) -> None:
        """Cut the connection without a farewell, whatever is being sent."""
        await self._connection.close(timeout_s=0)
        self.release()

    def note(self, event: JsonObject) -> None:
        """Have the recorder note what happens to this connection."""
        if self._recorder:
            self._recorder.note(event, epoch=self.epoch)

    def _record(self, update: Update) -> None:
        if self._recorder and update.event is not None:
            self._recorder.received(update.event, epoch=self.epoch, at_s=update.at_s, size_bytes=update.size_bytes)

    def _hold_back(self, update: Update) -> None:
        """Keep what ends before the readers read, turns and calls: of a history replay nothing else is news."""
        self._unread += [each for each in update.effects if isinstance(each, TurnEnded | FunctionAnswered)]

    async def _awaited(self, what: str, reached: Callable[[], bool], timeout_s: float) -> None:
        with anyio.move_on_after(timeout_s) as scope:
            while not reached():
                if self.pump.failure:
                    raise self.pump.failure
                if self.pump.refusal:
                    raise self.pump.refusal
                await self._changes.next()
        if scope.cancelled_caught:
            msg = f"the endpoint sent no `{what}` within {timeout_s:g} s"
            protocol = "Live" if self.state.kind == "live" else "Realtime"
            raise EndpointUnreachable(msg, hint=f"does it speak the {protocol} protocol?")
