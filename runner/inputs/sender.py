"""What somebody says to a session: samples in, the session's own format out, and the end of it all."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import anyio

from runner import logs
from runner.audio.resampling import Resampler
from runner.errors import InputError, RunnerError
from runner.inputs.pacing import Pace

if TYPE_CHECKING:
    from runner.session.session import Session

SHORTEST_TURN_MS = 100
"""The endpoint refuses to take less for a turn, in milliseconds."""

_FRAME_MS = 20
_TRANSLATED_FRAME_MS = 200
_ECHO_S = 0.2
"""What was played is still heard for so long, in seconds."""
_MOST_SILENCE_S = 10.0
"""Turn detection that goes by the meaning may wait longer than the profile's silence; a turn that still lasts after so
much more is ended by hand, in seconds."""
_ANSWER_S = 30.0
"""How long the endpoint may take to hear what was sent faster than it was spoken, in seconds."""
_LEAVE_S = 0.5


class PlayingAnswers(Protocol):
    """What an input knows of the answers that are heard."""

    @property
    def is_playing(self) -> bool:
        """Whether something is being heard now."""

    def interrupt(self) -> None:
        """Stop at once what is heard, and cancel the response in flight."""


class Sender:
    """Says audio to a session, in the session's input format.

    Args:
        session: A configured session.
        rate: Samples a second of what is said.
        muted_by: Its answers are not to be heard by the session again: silence is sent while they play.
    """

    def __init__(self, session: Session, *, rate: int, muted_by: PlayingAnswers | None = None) -> None:
        self.session = session
        self.form = session.state.configuration.input_format
        self.is_translated = session.state.effective.get("type") == "translation"
        self.sent_bytes = 0
        """What was said since the last turn that we ended, in the session's format."""
        self._resampler = Resampler(rate, self.form.rate)
        self._muted_by = muted_by
        self._muted_until_s = 0.0

    @property
    def frame_bytes(self) -> int:
        """What is sent at a time in real time, in the session's format."""
        return self.form.size_bytes(_TRANSLATED_FRAME_MS if self.is_translated else _FRAME_MS)

    def encoded(self, pcm: bytes, *, last: bool = False) -> bytes:
        """Samples in the session's format, as far as the filter gives them yet; `last` brings the rest."""
        return self.form.encode(self._resampler.convert(pcm, last=last))

    async def say(self, pcm: bytes, *, last: bool = False) -> None:
        """Send samples, or silence where they may be an echo."""
        await self.send(self.encoded(bytes(len(pcm)) if self._hears_itself else pcm, last=last))

    async def send(self, audio: bytes) -> None:
        """Send audio that is in the session's format."""
        if audio:
            self.sent_bytes += len(audio)
            await self.session.append_audio(audio)

    async def connected(self) -> None:
        """Wait for a connection: what nobody says live has no reason to be dropped between two."""
        while self.session.link is None and not self.session.is_over:
            await self.session.changes.next()

    async def keep_silent(self, duration_s: float, pace: Pace) -> None:
        """Send silence for so long."""
        left = self.form.size_bytes(duration_s * 1000)
        while left > 0:
            piece = min(self.frame_bytes, left)
            left -= piece
            await pace.due(self.form.seconds(piece))
            await self.session.append_audio(self.form.silence(piece))

    async def end(self, pace: Pace, *, trailing_silence_ms: int, name: str, is_ahead: bool) -> None:
        """Have the endpoint understand that nothing more is said.

        Args:
            pace: How fast silence is sent.
            trailing_silence_ms: Silence by which turn detection finds the end, in milliseconds.
            name: What messages call the input.
            is_ahead: Whether the endpoint was told faster than it was spoken, and may have to catch up.

        Raises:
            InputError: what was said is too short for a turn.
        """
        if self.is_translated:
            await self.keep_silent(trailing_silence_ms / 1000, pace)
        elif self.session.state.configuration.detects_turns:
            await self.keep_silent(trailing_silence_ms / 1000, pace)
            if is_ahead:
                await self._heard()
            await self._end_detected(name)
        else:
            await self.end_turn(name)

    async def end_turn(self, name: str) -> None:
        """Commit what was said and, in a conversation, ask for an answer; raises as `commit` does."""
        await self.commit(name)
        await self.ask()

    async def commit(self, name: str) -> None:
        """Make what was said a turn.

        Raises:
            InputError: what was said is too short for one.
        """
        said_ms, self.sent_bytes = self.form.ms(self.sent_bytes), 0
        if said_ms < SHORTEST_TURN_MS:
            msg = f"{name} lasts {said_ms:.0f} ms, and nothing below {SHORTEST_TURN_MS} ms can be a turn"
            raise InputError(msg)
        await self.session.send({"type": "input_audio_buffer.commit"})

    async def ask(self) -> None:
        """Ask for an answer, where the session is a conversation."""
        if self.session.state.effective.get("type", "realtime") == "realtime":
            await self.session.respond()

    async def leave(self) -> None:
        """End the turn in whose middle the input was taken away, since turn detection would wait for more."""
        with anyio.move_on_after(_LEAVE_S, shield=True), suppress(RunnerError):
            if self._is_speaking:
                await self.session.send({"type": "input_audio_buffer.commit"})

    async def _end_detected(self, name: str) -> None:
        silence = Pace()
        for _ in range(round(_MOST_SILENCE_S * 1000 / _FRAME_MS)):
            if not self._is_speaking:
                break
            await self.keep_silent(_FRAME_MS / 1000, silence)
        if self._is_speaking:
            await self.session.send({"type": "input_audio_buffer.commit"})
            if self.session.state.configuration.answers_turns:
                # What turn detection has not ended it does not answer.
                await self.ask()
        elif not any(item.role == "user" for item in self.session.state.conversation.items):
            logs.logger().warning("nobody_heard", input=name)

    async def _heard(self) -> None:
        """Wait until the endpoint has dealt with all that was sent: it answers in order."""
        with anyio.move_on_after(_ANSWER_S):
            await self.session.update()
            while not self.session.state.configuration.is_settled and not self.session.is_over:
                await self.session.changes.next()

    @property
    def _is_speaking(self) -> bool:
        return self.session.state.is_hearing_speech and not self.session.is_over

    @property
    def _hears_itself(self) -> bool:
        if self._muted_by is None:
            return False
        if self._muted_by.is_playing:
            self._muted_until_s = anyio.current_time() + _ECHO_S
        return anyio.current_time() < self._muted_until_s
