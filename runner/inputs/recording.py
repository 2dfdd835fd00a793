"""A recording that is sent to a session as if the user spoke."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, nullcontext
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from runner.audio.resampling import Resampler
from runner.errors import InputError
from runner.inputs.audio_file import RecordingFile
from runner.inputs.input_switch import InputSwitch
from runner.inputs.pacing import Pace
from runner.inputs.progress import Progress
from runner.inputs.read_ahead import read_ahead
from runner.inputs.sender import Sender
from runner.inputs.session_input import SessionInput
from runner.protocol.session_format import format_of

if TYPE_CHECKING:
    from runner.inputs.answer_stop import PlayingAnswers
    from runner.inputs.session_input import Flushed, InputEnd
    from runner.protocol.json_fields import JsonObject
    from runner.session.session import Session
    from runner.settings.input import FileInput

_SAMPLE_BYTES = 2
_READ_S, _READ_FAST_S = 0.5, 2.0
"""How much of a recording is read at a time, in seconds: at the pace of speech, and else."""
_AHEAD = 2
"""How many such pieces wait to be sent."""
_FAST_MS = 500
"""How much is sent at a time where the pace is not that of speech, in milliseconds."""


class RecordedInput(SessionInput):
    """Sends a recording, at the pace at which it was spoken or as fast as the endpoint takes it.

    Args:
        settings: Which recording, its pace, and what follows it.
    """

    live_interval_s = 0.2

    def __init__(self, settings: FileInput) -> None:
        self._settings = settings
        self._progress: Progress | None = None
        self._file: RecordingFile | None = None
        self._beginning = b"", False
        """The first piece, and whether it is the last one."""
        self.switch: InputSwitch = InputSwitch()

    async def open(self, asked: JsonObject) -> None:
        """Open the file, check that its rate can be converted, and read its beginning, which is often all of it."""

        def open_file() -> None:
            file = self._file = RecordingFile(self._settings.path)
            Resampler(file.rate, format_of(asked, "input").rate)
            self._beginning = _piece(file, self._piece_s)

        await anyio.to_thread.run_sync(open_file, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))

    async def feed(self, session: Session, flushed: Flushed, playback: PlayingAnswers | None) -> InputEnd:
        """Send the recording, silence after it, and wait for the answers."""
        del flushed, playback
        if self._file is None:
            msg = f"the recording {self._settings.path} was not opened"
            raise InputError(msg)
        await self._send(session, self._file)
        await session.wait_idle()
        return "input-end"

    async def _send(self, session: Session, file: RecordingFile) -> None:
        in_real_time = self._settings.pace == "real-time"
        pace = Pace(in_real_time=in_real_time)
        async with Sender(session, rate=file.rate, has_end=True) as sender:
            size_bytes = sender.frame_bytes if in_real_time else sender.form.size_bytes(_FAST_MS)
            encoded = _Encoded(file, sender, self._beginning, self._piece_s)
            is_whole = self._beginning[1]
            reading = nullcontext(_alone(encoded.next()[0])) if is_whole else read_ahead(encoded.next, pieces=_AHEAD)
            async with reading as pieces, aclosing(_frames(pieces, size_bytes)) as frames:
                progress = self._progress = Progress(self._settings.path.name, file.duration_s)
                async for frame in frames:
                    if self.switch.is_stopped:
                        await self.switch.started()
                        pace.restart()
                    duration_s = sender.form.seconds(len(frame))
                    await pace.due(duration_s)
                    if not in_real_time:
                        await sender.connected()
                    await sender.send(frame)
                    progress.advance(duration_s)
            await sender.end(
                pace,
                trailing_silence_ms=self._settings.trailing_silence_ms,
                name=file.name,
                hearing_timeout_s=self._settings.hearing_timeout_s,
            )

    @property
    def _piece_s(self) -> float:
        return _READ_S if self._settings.pace == "real-time" else _READ_FAST_S

    def live_line(self, state: str) -> str:
        """How much was sent, and what the session does."""
        return "   ".join(each for each in (self._progress.text if self._progress else "", state) if each)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class _Encoded:
    """A recording in the session's format, piece by piece."""

    def __init__(self, file: RecordingFile, sender: Sender, beginning: tuple[bytes, bool], piece_s: float) -> None:
        self._file = file
        self._sender = sender
        self._beginning: tuple[bytes, bool] | None = beginning
        self._piece_s = piece_s

    def next(self) -> tuple[bytes, bool]:
        """The next piece, and whether it is the last one."""
        pcm, is_last = self._beginning or _piece(self._file, self._piece_s)
        self._beginning = None
        return self._sender.encoded(pcm, last=is_last), is_last


def _piece(file: RecordingFile, piece_s: float) -> tuple[bytes, bool]:
    """The next piece of a recording, and whether it is the last one."""
    samples = max(1, round(file.rate * piece_s))
    pcm = more = file.read(samples)
    if len(pcm) < samples * _SAMPLE_BYTES:
        # Short of what was asked for: where nothing follows, the thread need not come back to find that out.
        more = file.read(samples)
        pcm += more
    return pcm, not more


async def _alone(piece: bytes) -> AsyncGenerator[bytes, None]:
    """The one piece of a recording that was read whole when it was opened."""
    yield piece


async def _frames(pieces: AsyncIterator[bytes], size_bytes: int) -> AsyncGenerator[bytes, None]:
    """The same audio in pieces of one size; the last one may be smaller."""
    rest = b""
    async for piece in pieces:
        rest += piece
        whole = len(rest) // size_bytes * size_bytes
        for at in range(0, whole, size_bytes):
            yield rest[at : at + size_bytes]
        rest = rest[whole:]
    if rest:
        yield rest
