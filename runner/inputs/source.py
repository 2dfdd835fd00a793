"""What a run is fed from: somebody at a terminal, the lines of standard input, something to hear, or nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from runner.inputs.chat import Chat, at_terminal
from runner.inputs.stdin import CHUNK_BYTES, feed
from runner.settings.input import FileInput, MicrophoneInput, StdinInput

if TYPE_CHECKING:
    from runner.inputs.broadcast import Broadcast, InputListener
    from runner.inputs.live import HeardInput
    from runner.inputs.sender import PlayingAnswers
    from runner.session.session import Session
    from runner.settings.profile import Profile


class Source:
    """The input of one run.

    Args:
        profile: What the profile says of it, and of the session that hears it.
        stdin: What standard input holds; from here on it is held for this run.
        is_alone: Whether the terminal, where there is one, is this run's alone.
    """

    def __init__(self, profile: Profile, stdin: Broadcast, *, is_alone: bool) -> None:
        settings = profile.input
        self._profile = profile
        self._settings = settings if isinstance(settings, StdinInput) else None
        self._chats = is_alone and isinstance(settings, StdinInput) and settings.format == "text" and at_terminal()
        self._chat: Chat | None = None
        self._lines: InputListener | None = None
        if self._settings and not self._chats:
            is_audio = self._settings.format == "audio"
            self._lines = stdin.listen(max_line_bytes=CHUNK_BYTES + 1 if is_audio else self._settings.max_line_bytes)
        self._audio = _audio_input(profile, self._lines, is_alone=is_alone)

    async def open(self) -> None:
        """Make sure, before anything connects, that there is something to hear; raises `RunnerError` otherwise."""
        if self._audio is not None:
            from runner.protocol.session_format import format_of
            from runner.protocol.session_update import session_update

            await self._audio.open(format_of(session_update(self._profile)["session"], "input"))

    async def feed(
        self, session: Session, flushed: Callable[[], Awaitable[None]], playback: PlayingAnswers | None
    ) -> str:
        """Send all that comes in, and wait for the answers.

        Args:
            session: Where to send it.
            flushed: Waits until everything said so far stands on the screen.
            playback: The answers that are heard, None where none are.

        Returns:
            Why no more comes: `user-left` or `input-end`; nothing where nothing was to come.

        Raises:
            RunnerError: the input cannot be read, or the session ended first.
        """
        if self._chats:
            self._chat = Chat(session, flushed)
            await self._chat.run()
            return "user-left"
        if self._audio is not None:
            await self._audio.feed(session, playback, flushed)
            if self._audio.is_endless:
                return "user-left"
        elif self._settings is None or self._lines is None:
            return ""
        else:
            await feed(session, self._settings, self._lines)
        await session.wait_idle()
        return "input-end"

    @property
    def can_interrupt(self) -> bool:
        """Whether Ctrl-C has an answer to cancel."""
        return any(each is not None and each.can_interrupt for each in (self._chat, self._audio))

    async def interrupt(self) -> None:
        """Cancel the answer that somebody waits for at the terminal."""
        for each in (self._chat, self._audio):
            if each is not None:
                await each.interrupt()

    def close(self) -> None:
        """Take nothing more; what standard input holds is no longer held for this run."""
        if self._lines is not None:
            self._lines.close()
        if self._audio is not None:
            self._audio.close()


def _audio_input(profile: Profile, pieces: InputListener | None, *, is_alone: bool) -> HeardInput | None:
    """What is heard, None where nothing is; only then what hearing needs is imported."""
    settings = profile.input
    is_heard = isinstance(settings, FileInput | MicrophoneInput)
    if not is_heard and not (isinstance(settings, StdinInput) and settings.format == "audio"):
        return None
    from runner.inputs.live import LiveInput, PipedInput

    match settings:
        case FileInput():
            from runner.inputs.recording import RecordedInput

            return RecordedInput(settings, shows_progress=is_alone)
        case MicrophoneInput():
            return LiveInput(settings, has_terminal=is_alone)
        case StdinInput() if pieces is not None:
            return PipedInput(settings, pieces)
        case _:
            return None
