"""The greeting of a session: said first, once, and kept from being interrupted where the profile says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.abc

from runner import logs
from runner.errors import RunnerError
from runner.protocol.effects import ResponseEnded, ResponseStarted, SpeechStarted
from runner.protocol.typed_text import opening_event, spoken_event
from runner.protocol.voices import BREATH_S
from runner.protocol.word_for_word import other_words, recital
from runner.session.own_request import own_id, own_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.protocol.json_fields import JsonObject
    from runner.session.carriage import Carriage
    from runner.session.greeting_audio import GreetingAudio
    from runner.session.session import Session
    from runner.session.update import Update
    from runner.settings.greeting import Greeting

_PLAYED = "session.output_audio.fixture.played"
_LOOK_S = 0.1
"""How often it is looked whether a greeting is still heard, in seconds."""


class Greeter:
    """Greets once in a session, and then ends.

    Turn detection is asked not to interrupt, and until a greeting that waits for the user not to answer, by updates of
    the session: what the endpoint reports of it is sent back with the one change, and again without it afterwards.

    Args:
        settings: What is said, and when.
        session: The session.
        carriage: Where it is.
        audio: The recording of the greeting, None where the model says it.

    Attributes:
        other_words: How many words of the greeting were said otherwise; None while that is not known.
    """

    def __init__(
        self, settings: Greeting, session: Session, carriage: Carriage, audio: GreetingAudio | None = None
    ) -> None:
        self.other_words: int | None = None
        self._settings = settings
        self._session = session
        self._carriage = carriage
        self._audio = audio
        self._request_id = ""
        self._response_id = ""
        self._is_sent = False
        self._is_open = False
        """Whether the session was handed out."""
        self._is_due = settings.after == "ready"
        self._is_said = False
        self._turns = 0
        """How many turns the user has ended."""
        self._is_muted = False
        """Whether a Live session hears nothing for now."""
        self._held: JsonObject = {}
        """How turn detection is to be again afterwards; nothing where it was not changed."""

    @property
    def has_asked(self) -> bool:
        """Whether the greeting was asked for, or told to the conversation: no later process greets again."""
        state = self._carriage.state
        is_told = self._audio is not None and self._audio.item_id in state.conversation.by_id
        return self._is_sent or is_told or (bool(self._request_id) and state.awaits(self._request_id))

    async def run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Greet when it is time; a greeting that waits for nobody has been asked for when this reports its start."""
        logs.bind(session_id=self._carriage.id)
        try:
            await self._greet(task_status)
        except RunnerError:
            # A session that ends needs no greeting more.
            if not self._is_open:
                raise

    async def _greet(self, task_status: anyio.abc.TaskStatus[None]) -> None:
        self._carriage.add_reader(self._read)
        try:
            if not self._is_due:
                if holding := self._holding("create_response", *self._interruption):
                    await self._session.send(holding)
                self._is_open = True
                task_status.started()
            await self._until(lambda: self._is_due)
            if self._carriage.is_over:
                return
            await self._say()
            if not self._is_open:
                self._is_open = True
                task_status.started()
            await self._hear_again()
            await self._until(lambda: self._is_said)
            while self._carriage.is_playing and not self._carriage.is_over:
                with anyio.move_on_after(_LOOK_S):
                    await self._carriage.changes.next()
        finally:
            self._carriage.remove_reader(self._read)
        await self._release()

    async def _hear_again(self) -> None:
        """Have a Live session hear the user once he has heard the last word, which is before the turn is over."""
        while self._is_muted and not (self._is_said or self._carriage.is_over):
            live = self._carriage.state.live
            now_s = live.known_s(self._carriage.state.clock())
            is_silent = live.voices.silent_s("assistant", now_s) >= BREATH_S and not self._carriage.is_playing
            if is_silent and self._other_words() == 0:
                await self._unmute()
            else:
                with anyio.move_on_after(_LOOK_S):
                    await self._carriage.changes.next()

    async def _unmute(self) -> None:
        self._is_muted = False
        if self._carriage.state.kind == "live":
            await self._session.send({"type": "session.input_audio.unmute"})

    async def _release(self) -> None:
        """Let turn detection be as it was, and have answered what was said into a greeting that had waited."""
        if self._is_muted and not self._carriage.is_over:
            await self._unmute()
        if self._held:
            # Turn detection is that of a realtime session, which may be carried on as a Live one meanwhile.
            await self._until(lambda: self._carriage.state.kind != "live")
        if not self._held or self._carriage.is_over:
            return
        if self._settings.after != "ready" and self._turns > 1:
            await self._session.send_in_turn(_update(self._held), {"type": "response.create"})
        else:
            await self._session.send(_update(self._held))

    async def _say_live(self) -> None:
        """Have a Live session greet; one that is not to be interrupted hears nothing meanwhile."""
        if not self._settings.interruptible:
            self._is_muted = True
            await self._session.send({"type": "session.input_audio.mute"})
        if self._audio is not None:
            await self._session.send(self._audio.fixture())
            self._carriage.publish(self._audio.said(self._carriage.state))
            return
        self._request_id = own_id()
        if self._settings.text is not None:
            await self._session.send_in_turn(spoken_event(self._settings.text, self._request_id))
        else:
            await self._session.send_in_turn(opening_event(self._settings.prompt or "", self._request_id))

    async def _say(self) -> None:
        if self._carriage.state.kind == "live":
            await self._say_live()
            return
        holding = None if self._held else self._holding(*self._interruption)
        first = [holding] if holding else []
        if self._audio is None:
            request = own_request(self._response())
            self._request_id = request["event_id"]
            await self._session.send_in_turn(*first, request)
        else:
            await self._session.send_in_turn(*first, self._audio.item_created())
            self._carriage.publish(self._audio.effects(self._carriage.state))
            self._is_said = True
        self._is_sent = True

    def _response(self) -> JsonObject:
        if self._settings.text is not None:
            return {"instructions": recital(self._settings.text)}
        own = self._carriage.state.configuration.wanted.get("instructions")
        instructions = [each for each in (own, self._settings.prompt) if each]
        return {"instructions": "\n\n".join(map(str, instructions))}

    @property
    def _interruption(self) -> tuple[str, ...]:
        return () if self._settings.interruptible else ("interrupt_response",)

    def _holding(self, *names: str) -> JsonObject | None:
        """The update by which turn detection no longer does this, None where it does not, or is not known."""
        detection = self._carriage.state.configuration.hearing.get("turn_detection")
        if not isinstance(detection, dict):
            return None
        done = [name for name in names if detection.get(name) is not False]
        if not done:
            return None
        known = {name: value for name, value in detection.items() if value is not None}
        self._held = {**known, **dict.fromkeys(done, True)}
        return _update({**known, **dict.fromkeys(done, False)})

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not (condition() or self._carriage.is_over):
            await self._carriage.changes.next()

    def _read(self, update: Update) -> None:
        for effect in update.effects:
            match effect:
                case SpeechStarted() if self._settings.after == "user-audio":
                    self._is_due = True
                case ResponseStarted(response_id=response_id, request_id=self._request_id):
                    self._response_id = response_id
                case ResponseEnded(request_id=self._request_id, status=status):
                    self._is_said = True
                    if status == "completed":
                        self._compare()
                case _:
                    pass
        kind = update.event.get("type") if update.event is not None else None
        if kind == "input_audio_buffer.committed":
            self._is_due = True
            self._turns += 1
        elif kind == _PLAYED or (update.event is None and self._carriage.state.left_unanswered(self._request_id)):
            self._is_said = True

    def _compare(self) -> None:
        """Log where the model has said something else than it was asked to."""
        self.other_words = self._other_words()
        if self.other_words:
            logs.logger().warning("greeting_drifted", other_words=self.other_words)

    def _other_words(self) -> int | None:
        """How many words were said otherwise so far; None where the model has to find its own."""
        if self._settings.text is None:
            return None
        items = self._carriage.state.conversation.of_responses({self._response_id})
        return other_words(self._settings.text, " ".join(item.text for item in items))


def _update(turn_detection: JsonObject) -> JsonObject:
    session = {"type": "realtime", "audio": {"input": {"turn_detection": turn_detection}}}
    return {"type": "session.update", "session": session}
