"""What the user says into a microphone, all the time or between two presses of a key."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from runner.inputs.answer_stop import AnswerStop
from runner.inputs.input_switch import InputSwitch
from runner.inputs.microphone import Microphone
from runner.inputs.push_to_talk import PushToTalk, check_terminal
from runner.inputs.sender import Sender
from runner.inputs.session_input import SessionInput
from runner.protocol.session_format import format_of

if TYPE_CHECKING:
    from runner.inputs.answer_stop import PlayingAnswers
    from runner.inputs.session_input import Flushed, InputEnd
    from runner.protocol.json_fields import JsonObject
    from runner.session.session import Session
    from runner.settings.input import MicrophoneInput


class SpokenInput(SessionInput):
    """Sends what a microphone hears.

    Args:
        settings: Which microphone, and how it is used.
        has_terminal: Whether the terminal, where there is one, belongs to this run alone.
    """

    def __init__(self, settings: MicrophoneInput, *, has_terminal: bool) -> None:
        self._settings = settings
        self._has_terminal = has_terminal
        self._microphone = Microphone(settings)
        self.switch: InputSwitch | None = None if settings.push_to_talk else InputSwitch(can_mute=True)

    async def open(self, asked: JsonObject) -> None:
        """Check that the device exists, and for push-to-talk that there is a terminal."""
        if self._settings.push_to_talk:
            check_terminal(is_alone=self._has_terminal)
        await self._microphone.open(format_of(asked, "input").rate)

    async def feed(self, session: Session, flushed: Flushed, playback: PlayingAnswers | None) -> InputEnd:
        """Start the device and send what it hears, until the user leaves."""
        rate = session.state.configuration.input_format.rate
        muted_by = playback if self._settings.mute_while_playing else None
        async with Sender(session, rate=rate, muted_by=muted_by, switch=self.switch) as sender:
            while self.switch:
                await self.switch.started()
                await self._listen(sender, rate, self.switch)
            async with aclosing(self._microphone.pieces(rate)) as pieces:
                self.answer_stop = AnswerStop(session, playback)
                await PushToTalk(sender, self.answer_stop, flushed).run(pieces)
        return "user-left"

    async def _listen(self, sender: Sender, rate: int, switch: InputSwitch) -> None:
        """Send what the device hears until the input is stopped; the device is then released."""
        async with aclosing(self._microphone.pieces(rate)) as pieces:
            async for piece in pieces:
                if switch.is_stopped:
                    break
                await sender.send_samples(piece)
        await sender.leave()
