"""A recording that is said to a session."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from runner.audio.resampling import Resampler
from runner.inputs.audio_file import RecordingFile
from runner.inputs.live import HeardInput
from runner.inputs.pacing import Pace
from runner.inputs.progress import Progress
from runner.inputs.read_ahead import read_ahead
from runner.inputs.sender import Sender

if TYPE_CHECKING:
    from runner.audio.format import AudioFormat
    from runner.inputs.live import Flushed
    from runner.inputs.sender import PlayingAnswers
    from runner.session.session import Session
    from runner.settings.input import FileInput

_READ_S = 0.5
"""How much of a recording is read at a time, in seconds."""
_AHEAD = 2
"""How many such pieces wait to be said."""
_FAST_MS = 200
"""How much is said at a time where nobody listens in real time."""


class RecordedInput(HeardInput):
    """A recording, at the pace at which it was spoken or as fast as the endpoint takes it.

    Args:
        settings: Which one, and how.
        shows_progress: Whether the terminal, where there is one, may show how far it is.
    """

    def __init__(self, settings: FileInput, *, shows_progress: bool) -> None:
        self._settings = settings
        self._shows_progress = shows_progress
        self._file: RecordingFile | None = None

    async def open(self, form: AudioFormat) -> None:
        """Open the file, and make sure that it can be resampled."""

        def opened() -> RecordingFile:
            file = RecordingFile(self._settings.path)
            Resampler(file.rate, form.rate)
            return file

        self._file = await anyio.to_thread.run_sync(opened, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))

    async def feed(self, session: Session, playback: PlayingAnswers | None, flushed: Flushed) -> None:
        """Say the recording, and silence after it."""
        del playback, flushed
        file = self._file
        if file is None:
            return
        in_real_time = self._settings.pace == "real-time"
        pace = Pace(in_real_time=in_real_time)
        voice = Sender(session, rate=file.rate)
        progress = Progress(file.duration_s if self._shows_progress else 0)
        size_bytes = voice.frame_bytes if in_real_time else voice.form.size_bytes(_FAST_MS)
        try:
            async with (
                read_ahead(_Encoded(file, voice).next, pieces=_AHEAD) as pieces,
                aclosing(_frames(pieces, size_bytes)) as frames,
            ):
                async for frame in frames:
                    duration_s = voice.form.seconds(len(frame))
                    await pace.due(duration_s)
                    if not in_real_time:
                        await voice.connected()
                    await voice.send(frame)
                    progress.advance(duration_s)
            progress.close()
            silence_ms, name = self._settings.trailing_silence_ms, file.name
            await voice.end(pace, trailing_silence_ms=silence_ms, name=name, is_ahead=not in_real_time)
        except anyio.get_cancelled_exc_class():
            await voice.leave()
            raise
        finally:
            progress.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class _Encoded:
    """A recording in the session's format, a piece at a time."""

    def __init__(self, file: RecordingFile, voice: Sender) -> None:
        self._file = file
        self._voice = voice
        self._samples = max(1, round(file.rate * _READ_S))
        self._is_over = False

    def next(self) -> bytes | None:
        """The next piece, None after the last one."""
        if self._is_over:
            return None
        pcm = self._file.read(self._samples)
        self._is_over = not pcm
        return self._voice.encoded(pcm, last=not pcm)


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
