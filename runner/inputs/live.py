"""Inputs that are heard as they come: samples on standard input, a microphone."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, ClassVar

import anyio
import anyio.to_thread

from runner.audio.resampling import Resampler
from runner.errors import InputError
from runner.inputs.microphone import Microphone
from runner.inputs.pacing import Pace
from runner.inputs.push_to_talk import PushToTalk, check_terminal
from runner.inputs.sender import Sender

if TYPE_CHECKING:
    from runner.audio.format import AudioFormat
    from runner.inputs.broadcast import InputListener
    from runner.inputs.sender import PlayingAnswers
    from runner.session.session import Session
    from runner.settings.input import MicrophoneInput, StdinInput


_WAV = b"RIFF"
"""How a WAV file begins; as samples it would be a click."""

Flushed = Callable[[], Awaitable[None]]


class HeardInput(ABC):
    """What somebody is heard through.

    Attributes:
        is_endless: Whether only the user ends it.
    """

    is_endless: ClassVar[bool] = False

    @abstractmethod
    async def open(self, form: AudioFormat) -> None:
        """Make sure, before anything connects, that there is something to hear.

        Args:
            form: The input format that the session will have.

        Raises:
            InputError: there is nothing, or it cannot be heard.
            ProfileError: a library is not installed.
        """

    @abstractmethod
    async def feed(self, session: Session, playback: PlayingAnswers | None, flushed: Flushed) -> None:
        """Say all that is heard to a session; returns at the end, or when the user leaves.

        Args:
            session: A configured session.
            playback: The answers that are heard, None where none are.
            flushed: Waits until everything said so far stands on the screen.

        Raises:
            RunnerError: the input cannot be heard any more, or the session ended first.
        """

    @property
    def can_interrupt(self) -> bool:
        """Whether Ctrl-C has an answer to cancel."""
        return False

    async def interrupt(self) -> None:  # noqa: B027  # most inputs have nobody to press a key
        """Cancel the answer that somebody waits for."""

    def close(self) -> None:  # noqa: B027  # some close by themselves
        """Hear nothing more."""


class PipedInput(HeardInput):
    """Samples on standard input, as fast as they come.

    Args:
        settings: What they are.
        pieces: The samples.
    """

    def __init__(self, settings: StdinInput, pieces: InputListener) -> None:
        self._settings = settings
        self._pieces = pieces

    async def open(self, form: AudioFormat) -> None:
        """Make sure that nobody is asked to type samples, and that they can be resampled."""
        if sys.stdin.isatty():
            msg = 'standard input is a terminal, and `format = "audio"` expects raw samples'
            raise InputError(msg, hint="such as: arecord -t raw -f S16_LE -r 24000 | rt-run …")
        await anyio.to_thread.run_sync(Resampler, self._settings.rate, form.rate)

    async def feed(self, session: Session, playback: PlayingAnswers | None, flushed: Flushed) -> None:
        """Say what comes, and silence after it."""
        del flushed
        voice = Sender(
            session, rate=self._settings.rate, muted_by=playback if self._settings.mute_while_playing else None
        )
        try:
            is_first = True
            async for _, pcm in self._pieces:
                if is_first and pcm.startswith(_WAV):
                    msg = "standard input is a WAV file, and raw samples are expected"
                    raise InputError(msg, hint='read it with input.kind = "file", or convert it: sox talk.wav -t raw -')
                is_first = False
                await voice.connected()
                await voice.say(pcm)
            if is_first:
                msg = "standard input holds no audio"
                raise InputError(msg)
            await voice.say(b"", last=True)
            silence_ms, name = self._settings.trailing_silence_ms, "standard input"
            await voice.end(Pace(), trailing_silence_ms=silence_ms, name=name, is_ahead=True)
        except anyio.get_cancelled_exc_class():
            await voice.leave()
            raise

    def close(self) -> None:
        """Take nothing more; samples are no longer held for it."""
        self._pieces.close()


class LiveInput(HeardInput):
    """A microphone, heard all the time or while a key says so.

    Args:
        settings: Which one, and how.
        has_terminal: Whether the terminal, where there is one, is this session's alone.
    """

    is_endless = True

    def __init__(self, settings: MicrophoneInput, *, has_terminal: bool) -> None:
        self._settings = settings
        self._has_terminal = has_terminal
        self._microphone = Microphone(settings)
        self._push_to_talk: PushToTalk | None = None

    async def open(self, form: AudioFormat) -> None:
        """Make sure that the device is there, and a terminal where keys are needed."""
        if self._settings.push_to_talk:
            check_terminal(is_alone=self._has_terminal)
        await self._microphone.open(form.rate)

    async def feed(self, session: Session, playback: PlayingAnswers | None, flushed: Flushed) -> None:
        """Start the device, and say what it hears."""
        rate = session.state.configuration.input_format.rate
        voice = Sender(session, rate=rate, muted_by=playback if self._settings.mute_while_playing else None)
        try:
            async with aclosing(self._microphone.pieces(rate)) as pieces:
                if self._settings.push_to_talk:
                    self._push_to_talk = PushToTalk(voice, playback, flushed)
                    await self._push_to_talk.run(pieces)
                else:
                    async for piece in pieces:
                        await voice.say(piece)
        except anyio.get_cancelled_exc_class():
            await voice.leave()
            raise

    @property
    def can_interrupt(self) -> bool:
        """Whether Ctrl-C has an answer to cancel."""
        return self._push_to_talk is not None and self._push_to_talk.can_interrupt

    async def interrupt(self) -> None:
        """Cancel the answer that somebody waits for at the terminal."""
        if self._push_to_talk is not None:
            await self._push_to_talk.interrupt()
