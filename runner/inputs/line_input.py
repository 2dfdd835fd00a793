"""Lines of standard input: user messages, or client events in JSON."""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import TYPE_CHECKING

from pydantic_core import from_json

from runner.errors import InputError
from runner.inputs.input_switch import InputSwitch
from runner.inputs.session_input import SessionInput
from runner.protocol.json_text import dumps_strict
from runner.protocol.request import out_of_band

if TYPE_CHECKING:
    from runner.inputs.answer_stop import PlayingAnswers
    from runner.inputs.broadcast import InputListener
    from runner.inputs.session_input import Flushed, InputEnd
    from runner.session.session import Session
    from runner.settings.input import StdinInput


_PART_OF_NULS = 3
"""A line of which one byte in so many is NUL is UTF-16: every letter of Latin has one there."""


class LineInput(SessionInput):
    """Sends each line of standard input.

    Args:
        settings: Whether a line is a user message or a client event.
        lines: The lines.
    """

    def __init__(self, settings: StdinInput, lines: InputListener) -> None:
        self._settings = settings
        self._lines = lines
        self.switch: InputSwitch = InputSwitch()

    async def feed(self, session: Session, flushed: Flushed, playback: PlayingAnswers | None) -> InputEnd:
        """Send every line to the last one, and wait for the answers.

        Raises:
            InputError: A line cannot be read, is not UTF-8, or is no JSON object where events are expected.
            RunnerError: The session ended first.
        """
        del flushed, playback
        async for number, line in self._lines:
            if text := line_text(number, line).strip():
                await self.switch.started()
                if self._settings.format == "text":
                    await session.say(text)
                else:
                    await _send_event(session, number, text)
        is_live = session.state.kind == "live"
        if self._settings.format == "events" and session.state.is_hearing_speech and not is_live:
            # No silence follows by which turn detection would find the end of the turn.
            await session.send({"type": "input_audio_buffer.commit"})
        await session.wait_idle()
        return "input-end"

    def close(self) -> None:
        """Read no more lines."""
        self._lines.close()


async def _send_event(session: Session, number: int, line: str) -> None:
    try:
        event = from_json(line, allow_inf_nan=False)
        dumps_strict(event)
    except ValueError as error:
        msg = f"stdin:{number}: not JSON: {error}"
        raise InputError(msg) from None
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        msg = f"stdin:{number}: not a client event: a JSON object with a `type` is expected"
        raise InputError(msg, hint='such as {"type": "response.create"}')
    if event["type"] == "response.create" and session.state.kind != "live" and not out_of_band(event):
        await session.wait_answered()
    await session.send(event)


def line_text(number: int, line: bytes) -> str:
    """The text of a line of standard input.

    Args:
        number: Its number, from 1.
        line: The line.

    Raises:
        InputError: It is not UTF-8.
    """
    if number == 1:
        line = line.removeprefix(BOM_UTF8)
    if line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or line.count(0) * _PART_OF_NULS >= max(len(line), 2):
        msg = f"stdin:{number}: UTF-16, and UTF-8 is expected"
        raise InputError(msg, hint="convert it: iconv -f UTF-16 -t UTF-8")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        msg = f"stdin:{number}: not UTF-8 at byte {error.start + 1}"
        raise InputError(msg) from None
