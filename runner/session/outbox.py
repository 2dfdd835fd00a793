"""What goes out of a session: client events and audio, on the connection that carries it or on the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from runner import logs
from runner.api.session_types import TALKING
from runner.errors import IllegalEvent, ProtocolError
from runner.protocol.request import FILLER, RESPONSE
from runner.session.carriage import Between
from runner.session.client_event import append_event, appended_audio, plain_event
from runner.session.forks import AUDIO_AGE_S
from runner.session.link import NotSent
from runner.session.waiting_audio import WaitingAudio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.api.client_events import ClientEventBase
    from runner.api.session_types import SessionType
    from runner.protocol.json_fields import JsonObject
    from runner.session.carriage import Carriage
    from runner.session.link import Link
    from runner.session.steady_stream import SteadyStream

Audio = bytes | bytearray | memoryview


class Outbox:
    """Sends client events and audio; between two connections events wait for the next one, and audio as long as it may.

    Args:
        carriage: Where the session is.
        max_audio_age_s: How long audio may wait for a connection, in seconds.
    """

    def __init__(self, carriage: Carriage, *, max_audio_age_s: float) -> None:
        self._carriage = carriage
        self._max_audio_age_s = max_audio_age_s
        self._waiting: WaitingAudio | None = None
        """The audio that the next connection gets before anything else, None while there is none."""
        self.dropped_bytes = 0
        """How much audio was dropped for its age, in bytes."""
        self.steady: SteadyStream | None = None
        """Keeps the audio of a Live session going, None where audio is sent when there is some."""
        self.is_draining = False
        """Whether the session takes no more questions."""
        self._input_readers: list[Callable[[Audio], None]] = []

    @property
    def has_waiting_audio(self) -> bool:
        """Whether audio waits for a connection."""
        return self._waiting is not None and self._waiting.first() is not None

    def drain(self) -> None:
        """Take no more questions: whatever asks for a response raises `IllegalEvent` from now on."""
        self.is_draining = True
        self._carriage.changes.notify()

    def read_input(self, read: Callable[[Audio], None]) -> None:
        """Call `read`, which must not wait, with the audio that goes in, in the session's input format."""
        self._input_readers.append(read)

    async def send(self, event: Mapping[str, Any] | ClientEventBase) -> str:
        """Send one client event; returns its `event_id`, and raises as `ask` does."""
        must_wait = self._carriage.link is None or self._waiting is not None
        audio = appended_audio(event) if must_wait or self._input_readers else b""
        if must_wait and audio:
            event_id: str = self._carriage.state.identified(plain_event(event))["event_id"]
            self._keep(audio, event_id)
        else:
            event_id = (await self._transmit(event))[-1]
        if audio:
            self._report(audio)
        if must_wait:
            await anyio.lowlevel.checkpoint()
        return event_id

    async def ask(self, *events: Mapping[str, Any] | ClientEventBase, made_for: SessionType | None = None) -> list[str]:
        """Send client events once a new turn may begin, right after each other; returns their ids.

        Args:
            events: The events.
            made_for: The kind of session that they are for, by default that of the session now.

        Raises:
            IllegalEvent: The session's state does not allow one of them, or the session is being drained.
            RunnerError: The session has ended.
        """
        return await self._transmit(*events, when_free=True, made_for=made_for)

    async def go_on(self, event: JsonObject, is_wanted: Callable[[], bool]) -> None:
        """Send a `response.create` that continues a turn, also in a session that is being drained.

        It waits until no response is asked for or in flight and the user does not speak; what is wanted no longer by
        then is not sent. Raises as `ask` does.
        """
        made_for = self._carriage.state.kind
        while is_wanted():
            link, state = await self.any_link(), self._carriage.state
            if self._carriage.is_held or state.pending.busy or state.pending.turn != "none":
                await self._carriage.changes.next()
            elif (wait_s := state.rate_limits.wait_s(anyio.current_time())) > 0:
                with anyio.move_on_after(wait_s):
                    await self._carriage.changes.next()
            elif is_wanted():
                try:
                    await self._put(link, [event], made_for)
                except NotSent:
                    await self._replaced(link)
                except IllegalEvent:
                    # Another response was first.
                    await anyio.lowlevel.checkpoint()
                else:
                    return

    async def append_audio(self, audio: Audio) -> None:
        """Append audio to the endpoint's input buffer; raises as `send` does."""
        if self.steady is not None:
            await self.steady.room(memoryview(audio).nbytes)
        while (link := self._carriage.link) is not None and self._waiting is None:
            try:
                await link.append_audio(audio)
            except NotSent:
                if self._carriage.link is link:
                    break
            else:
                if self._input_readers:
                    self._report(audio)
                return
        self._keep(audio)
        self._report(audio)
        # A program that only appends would otherwise leave no time for the connection that it waits for.
        await anyio.lowlevel.checkpoint()

    async def flush(self) -> int:
        """Send the audio that waits and is young enough; returns how many bytes were dropped for their age."""
        waiting = self._waiting
        if waiting is None:
            return 0
        try:
            while (link := self._carriage.link) is not None and (piece := waiting.first()):
                if piece.event_id:
                    await link.send(append_event(piece.audio, piece.event_id))
                else:
                    await link.append_audio(piece.audio)
                waiting.sent(piece)
        except NotSent:
            # The connection is lost again, and what still waits goes to the next one.
            return 0
        if self._carriage.link is None:
            return 0
        self._waiting = None
        self.dropped_bytes += waiting.dropped_bytes
        self._carriage.changes.notify()
        return waiting.dropped_bytes

    def _keep(self, audio: Audio, event_id: str = "") -> None:
        self._carriage.check()
        if self._waiting is None:
            is_planned = isinstance(self._carriage.place, Between) and self._carriage.place.error is None
            least_s = AUDIO_AGE_S if is_planned and self._carriage.epoch else 0.0
            self._waiting = WaitingAudio(max(self._max_audio_age_s, least_s))
        self._waiting.put(audio, event_id)

    def _report(self, audio: Audio) -> None:
        for read in self._input_readers:
            read(audio)

    async def _transmit(
        self,
        *events: Mapping[str, Any] | ClientEventBase,
        when_free: bool = False,
        made_for: SessionType | None = None,
    ) -> list[str]:
        made_for = made_for or self._carriage.state.kind
        while True:
            link = await self._free_link() if when_free else await self.any_link()
            try:
                return await self._put(link, events, made_for)
            except NotSent:
                await self._replaced(link)

    async def _replaced(self, link: Link) -> None:
        """Wait until a connection that has ended carries the session no longer."""
        await link.over()
        while self._carriage.link is link:
            await self._carriage.changes.next()

    async def any_link(self) -> Link:
        """The connection that carries the session and has got the audio that waited for it."""
        while True:
            self._carriage.check()
            if self._carriage.link is not None and self._waiting is None:
                return self._carriage.link
            await self._carriage.changes.next()

    async def _free_link(self) -> Link:
        """The same, once nothing is in the way of a new turn."""
        while True:
            if self.is_draining:
                self._carriage.check()
                msg = "the session is being drained and takes no more questions"
                raise IllegalEvent(msg)
            link = await self.any_link()
            if self._carriage.is_held or self._carriage.state.busy:
                await self._carriage.changes.next()
            elif (wait_s := self._carriage.state.rate_limits.wait_s(anyio.current_time())) > 0:
                with anyio.move_on_after(wait_s):
                    await self._carriage.changes.next()
            else:
                return link

    async def _put(
        self, link: Link, events: Sequence[Mapping[str, Any] | ClientEventBase], made_for: SessionType
    ) -> list[str]:
        """Send events that were made for one kind of session, in the words of the connection's kind."""
        kind = link.state.kind
        if made_for == kind or kind not in TALKING:
            return await link.send(*events)
        from runner.protocol.bridge import bridged

        plain = [link.state.identified(plain_event(each)) for each in events]
        others = bridged(plain, link.state)
        if others:
            await link.send(*others)
        else:
            logs.logger().info("event_left_out", types=[each["type"] for each in plain], session_type=kind)
            # A filler is for a session that does not speak by itself.
            if any(each["type"] == RESPONSE["type"] and not each["event_id"].startswith(FILLER) for each in plain):
                self._carriage.give_up(ProtocolError(f"a {kind} session cannot be asked for what another kind was"))
        return [each["event_id"] for each in plain]
