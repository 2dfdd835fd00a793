"""What the user says into a microphone, all the time or between two presses of a key."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from runner.inputs.answer_stop import AnswerStop
from runner.inputs.input_switch import InputSwitch
from runner.inputs.meter import LevelMeter
from runner.inputs.microphone import Microphone
from runner.inputs.push_to_talk import LEAVE, PushToTalk, keyboard_of
from runner.inputs.sender import Sender
from runner.inputs.session_input import SessionInput
from runner.protocol.session_format import format_of
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    from anyio import CancelScope

    from runner.inputs.answer_stop import PlayingAnswers
    from runner.inputs.session_input import Flushed, InputEnd
    from runner.protocol.json_fields import JsonObject
    from runner.session.session import Session
    from runner.settings.input import MicrophoneInput
    from runner.terminal.keyboard import Keyboard
    from runner.terminal.screen import Screen

_MUTE = ("m", "M")


class SpokenInput(SessionInput):
    """Sends what a microphone hears.

    Args:
        settings: Which microphone, and how it is used.
        screen: The terminal, where this run has one.
    """

    live_interval_s = 0.1

    def __init__(self, settings: MicrophoneInput, screen: Screen | None = None) -> None:
        self._settings = settings
        self._screen = screen
        self._microphone = Microphone(settings)
        self._meter = LevelMeter() if screen else None
        self._push_to_talk: PushToTalk | None = None
        self.switch: InputSwitch | None = None if settings.push_to_talk else InputSwitch(can_mute=True)

    async def open(self, asked: JsonObject) -> None:
        """Check that the device exists, and for push-to-talk that there is a terminal."""
        if self._settings.push_to_talk:
            keyboard_of(self._screen)
        await self._microphone.open(format_of(asked, "input").rate)

    async def feed(self, session: Session, flushed: Flushed, playback: PlayingAnswers | None) -> InputEnd:
        """Start the device and send what it hears, until the user leaves."""
        del flushed
        rate = session.state.configuration.input_format.rate
        muted_by = playback if self._settings.mute_while_playing else None
        async with Sender(session, rate=rate, muted_by=muted_by, switch=self.switch) as sender:
            if self.switch:
                await self._listen_until_left(sender, rate, self.switch)
            else:
                await self._take_turns(sender, rate, AnswerStop(session, playback))
        return "user-left"

    def live_line(self, state: str) -> str:
        """What the session does, how loud the microphone is, and what the keys do."""
        meter = self._meter.text if self._meter else ""
        if self._push_to_talk is not None:
            return self._push_to_talk.live_line(state, meter)
        switch = self.switch
        if switch and switch.state != "started":
            heard = "not listening" if switch.is_stopped else "muted"
            state, meter = f"{state}, {heard}" if state else heard, ""
        mute = "unmute" if switch and switch.is_muted else "mute"
        keys = f"   m: {mute}, q: leave" if self._reads_keys else ""
        return f"{state or 'listening':<10} {meter}{keys}"

    @property
    def _reads_keys(self) -> bool:
        return self._screen is not None and self._screen.reads_keyboard

    async def _listen_until_left(self, sender: Sender, rate: int, switch: InputSwitch) -> None:
        async with body_task_group() as tasks:
            if self._screen is not None and self._reads_keys:
                tasks.start_soon(self._watch_keys, self._screen.keyboard, switch, tasks.cancel_scope)
            while not tasks.cancel_scope.cancel_called:
                await switch.started()
                await self._listen(sender, rate, switch)
        await sender.leave()

    async def _watch_keys(self, keyboard: Keyboard, switch: InputSwitch, listening: CancelScope) -> None:
        while (key := await keyboard.next()) not in LEAVE:
            if key in _MUTE:
                (switch.unmute if switch.is_muted else switch.mute)()
        listening.cancel()

    async def _listen(self, sender: Sender, rate: int, switch: InputSwitch) -> None:
        """Send what the device hears until the input is stopped; the device is then released."""
        async with aclosing(self._microphone.pieces(rate)) as pieces:
            async for piece in pieces:
                if switch.is_stopped:
                    break
                if self._meter:
                    self._meter.take(piece)
                await sender.send_samples(piece)
        await sender.leave()

    async def _take_turns(self, sender: Sender, rate: int, answer_stop: AnswerStop) -> None:
        self.answer_stop = answer_stop
        self._push_to_talk = PushToTalk(sender, answer_stop, keyboard_of(self._screen), self._meter)
        async with aclosing(self._microphone.pieces(rate)) as pieces:
            await self._push_to_talk.run(pieces)
