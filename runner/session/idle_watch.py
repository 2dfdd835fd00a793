"""Watches for silence in a session: asks whether somebody is there, says good-bye, and has the session end."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from runner import logs
from runner.connect.loop_clock import loop_clock
from runner.errors import RunnerError
from runner.protocol.effects import SpeechStarted, SpeechStopped, TurnEnded
from runner.session.own_request import request_to_say

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.protocol.item import Item
    from runner.session.carriage import Carriage
    from runner.session.session import Session
    from runner.session.update import Update
    from runner.settings.idle import Idle

_LOOK_S = 0.1
"""How often it is looked whether an answer is still heard, in seconds."""
_ANSWERED_S = 300.0
"""How long a call that is answered elsewhere may go without its output, in seconds, before it counts for nothing."""
_TIMEOUT = "input_audio_buffer.timeout_triggered"
_COMMITTED = "input_audio_buffer.committed"


class IdleWatch:
    """Says the texts of `[idle]` one after another, each after a silence, until the user is heard or the session ends.

    Where the endpoint has an idle timeout of its own, and checks in by itself, that counts as one of the texts.

    Args:
        settings: What is said after how long a silence.
        session: The session.
        carriage: Where it is.
        ended: Called with the reason when the session is to end because nobody is there; None has it closed.
    """

    def __init__(
        self, settings: Idle, session: Session, carriage: Carriage, ended: Callable[[str], None] | None
    ) -> None:
        self._settings = settings
        self._session = session
        self._carriage = carriage
        self._ended = ended
        self._clock = loop_clock()
        self._since_s = self._clock()
        """Since when nobody is heard, on the event loop's clock, in seconds."""
        self._said = 0
        """How many of the texts were said since the user was heard."""
        self._is_leaving = False
        """Whether good-bye was said, and the user has not been heard since."""
        self._is_due = False
        """Whether the endpoint has found once more that nobody is there, after all texts."""
        self._calls: dict[Item, float] = {}
        """The calls without an output, each with the moment from which on it counts for nothing."""
        self._timeouts: set[str] = set()
        """The items of silence that the endpoint has made turns of by itself."""

    async def run(self) -> None:
        """Watch until the session ends, or is ended here."""
        logs.bind(session_id=self._carriage.id)
        self._carriage.add_reader(self._read)
        try:
            # What cannot be said is said to a session that ends.
            with suppress(RunnerError):
                while not self._carriage.is_over:
                    await self._silence()
                    if not self._carriage.is_over:
                        await self._act()
        finally:
            self._carriage.remove_reader(self._read)

    async def _act(self) -> None:
        """Do what is due after a silence."""
        texts, goodbye = self._settings.texts, self._settings.goodbye
        if self._said < len(texts):
            self._said += 1
            logs.logger().info("idle", said=self._said, of=len(texts))
            await self._session.send_in_turn(request_to_say(texts[self._said - 1], self._carriage.state.kind))
            return
        self._is_leaving = True
        if goodbye is not None:
            await self._session.send_in_turn(request_to_say(goodbye, self._carriage.state.kind))
            await self._heard()
        if self._is_leaving and not self._carriage.is_over:
            if self._ended:
                self._ended("idle")
            else:
                await self._session.aclose()
            await self._session.wait_over()

    async def _silence(self) -> None:
        """Wait until nobody has been heard for long enough."""
        while not self._carriage.is_over:
            await self._heard()
            left_s = 0.0 if self._is_due else self._since_s + self._settings.after_s - anyio.current_time()
            if left_s <= 0:
                return
            with anyio.move_on_after(left_s):
                await self._carriage.changes.next()

    async def _heard(self) -> None:
        """Wait until nobody speaks, nothing is played, and nothing that was asked for is still to come."""
        while self._is_active and not self._carriage.is_over:
            with anyio.move_on_after(_LOOK_S if self._carriage.is_playing else self._answers_left_s):
                await self._carriage.changes.next()
            self._since_s = anyio.current_time()

    @property
    def _is_active(self) -> bool:
        carriage, state = self._carriage, self._carriage.state
        is_recording = state.pending.uncommitted and not state.configuration.detects_turns
        is_between = carriage.link is None
        is_awaited = state.is_pending or state.busy or self._answers_left_s is not None
        return is_between or is_awaited or is_recording or carriage.is_playing

    @property
    def _answers_left_s(self) -> float | None:
        """How long the output of a call may still take, in seconds; None where none is waited for."""
        now_s = anyio.current_time()
        calls = self._carriage.state.conversation.unanswered_calls
        self._calls = {each: self._calls.get(each, now_s + _ANSWERED_S) for each in calls}
        return max((until_s - now_s for until_s in self._calls.values() if until_s > now_s), default=None)

    def _read(self, update: Update) -> None:
        event = update.event or {}
        kind, item_id = event.get("type"), event.get("item_id")
        if kind == _TIMEOUT:
            self._timeouts.add(str(item_id))
            self._is_due = self._said >= len(self._settings.texts)
            self._said = min(self._said + 1, len(self._settings.texts))
        elif (kind == _COMMITTED and item_id not in self._timeouts) or any(map(self._is_users, update.effects)):
            self._since_s = self._clock()
            self._said, self._is_leaving, self._is_due = 0, False, False

    def _is_users(self, effect: object) -> bool:
        """Whether the user is heard by this."""
        match effect:
            case SpeechStarted() | SpeechStopped():
                return True
            case TurnEnded(role="user", item_id=item_id):
                return item_id not in self._timeouts
            case _:
                return False
