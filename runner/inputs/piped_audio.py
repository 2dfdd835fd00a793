"""Raw samples on standard input."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from runner.audio.resampling import Resampler
from runner.errors import InputError
from runner.inputs.compressed_audio import HEAD_BYTES, kind_of
from runner.inputs.input_switch import InputSwitch
from runner.inputs.pacing import Pace
from runner.inputs.sender import Sender
from runner.inputs.session_input import SessionInput
from runner.protocol.session_format import format_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runner.inputs.answer_stop import PlayingAnswers
    from runner.inputs.broadcast import InputListener
    from runner.inputs.session_input import Flushed, InputEnd
    from runner.protocol.json_fields import JsonObject
    from runner.session.session import Session
    from runner.settings.input import StdinInput

_NAME = "standard input"


class PipedInput(SessionInput):
    """Sends the samples of standard input as fast as they come.

    Args:
        settings: Their rate, and what follows them.
        pieces: The samples.
    """

    def __init__(self, settings: StdinInput, pieces: InputListener) -> None:
        self._settings = settings
        self._pieces = pieces
        self.switch: InputSwitch = InputSwitch(can_mute=True)

    async def open(self, asked: JsonObject) -> None:
        """Check that standard input is no terminal, and that its rate can be converted."""
        if sys.stdin.isatty():
            msg = 'standard input is a terminal, and `format = "audio"` expects raw samples'
            raise InputError(msg, hint="such as: arecord -t raw -f S16_LE -r 24000 | rt-run …")
        await anyio.to_thread.run_sync(Resampler, self._settings.rate, format_of(asked, "input").rate)

    async def feed(self, session: Session, flushed: Flushed, playback: PlayingAnswers | None) -> InputEnd:
        """Send what comes, silence after its end, and wait for the answers."""
        del flushed
        muted_by = playback if self._settings.mute_while_playing else None
        rate = self._settings.rate
        async with Sender(session, rate=rate, muted_by=muted_by, switch=self.switch, has_end=True) as sender:
            async for pcm in _samples(self._pieces):
                await self.switch.started()
                await sender.connected()
                await sender.send_samples(pcm)
            await sender.send_samples(b"", last=True)
            await sender.end(
                Pace(),
                trailing_silence_ms=self._settings.trailing_silence_ms,
                name=_NAME,
                hearing_timeout_s=self._settings.hearing_timeout_s,
            )
        await session.wait_idle()
        return "input-end"

    def close(self) -> None:
        """Read no more samples."""
        self._pieces.close()


async def _samples(pieces: InputListener) -> AsyncIterator[bytes]:
    """The samples as they come, once their beginning is known not to be that of a file.

    Raises:
        InputError: They are a file, which as samples would be noise; or there are none.
    """
    head, is_known = b"", False
    async for _, pcm in pieces:
        head = pcm if is_known else head + pcm
        if is_known or len(head) >= HEAD_BYTES:
            if not is_known:
                _refuse_file(head)
            is_known = True
            yield head
    if not head:
        msg = f"{_NAME} holds no audio"
        raise InputError(msg)
    if not is_known:
        _refuse_file(head)
        yield head


def _refuse_file(head: bytes) -> None:
    if kind := kind_of(head):
        msg = f"{_NAME} is {kind}, and raw samples are expected"
        hint = 'read it with input.kind = "file", or convert it: ffmpeg -i talk.wav -f s16le -ac 1 -ar 24000 -'
        raise InputError(msg, hint=hint)
