"""The user's audio on its way to a session: converted to the session's format, sent, and ended as a turn."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

import anyio

from runner import logs
from runner.audio.resampling import Resampler
from runner.errors import InputError, RunnerError
from runner.inputs.pacing import Pace

if TYPE_CHECKING:
    from types import TracebackType

    from runner.inputs.answer_stop import PlayingAnswers
    from runner.session.session import Session

SHORTEST_TURN_MS = 100
"""The endpoint refuses a shorter turn, in milliseconds."""

_FRAME_MS = 20
_TRANSLATED_FRAME_MS = 200
_ECHO_S = 0.2
"""How long a room goes on sounding after an answer was played, in seconds."""
_MOST_SILENCE_S = 10.0
"""Turn detection that goes by the meaning may need more silence than the profile's; after so much more the turn is
committed by us, in seconds."""
_ANSWER_S = 30.0
"""How long the endpoint may take to deal with audio that was sent faster than it was spoken, in seconds."""
_LEAVE_S = 0.5
"""How long the commit of a turn may take whose input was cancelled, in seconds."""


class Sender:
    """Sends audio to a session, in the session's input format.

    As a context manager it commits the turn in whose middle the input is cancelled, since turn detection would wait
    for more.

    Args:
        session: A configured session.
        rate: Samples a second of what is sent.
        muted_by: The answers that the microphone may hear; silence is sent while they play. None sends all.
    """

    def __init__(self, session: Session, *, rate: int, muted_by: PlayingAnswers | None = None) -> None:
        self.session = session
        self.form = session.state.configuration.input_format
        self._is_translated = session.state.kind == "translation"
        self._turn_bytes = 0
        self._resampler = Resampler(rate, self.form.rate)
        self._muted_by = muted_by
        self._muted_until_s = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, anyio.get_cancelled_exc_class()):
            await self._leave()

    @property
    def frame_bytes(self) -> int:
        """The size of what is sent at a time in real time, in the session's format."""
        return self.form.size_bytes(_TRANSLATED_FRAME_MS if self._is_translated else _FRAME_MS)

    @property
    def turn_ms(self) -> float:
        """How much audio was sent since the turn began, in milliseconds."""
        return self.form.ms(self._turn_bytes)

    def begin_turn(self) -> None:
        """Count the audio that is sent from now on as a new turn."""
        self._turn_bytes = 0

    def encoded(self, pcm: bytes, *, last: bool = False) -> bytes:
        """Samples in the session's format, as far as the resampler gives them yet; `last` brings the rest."""
        return self.form.encode(self._resampler.convert(pcm, last=last))

    async def send_samples(self, pcm: bytes, *, last: bool = False) -> None:
        """Send 16-bit samples, or silence where they may be an echo; `last` also sends what the resampler holds."""
        await self.send(self.encoded(bytes(len(pcm)) if self._hears_itself else pcm, last=last))

    async def send(self, audio: bytes) -> None:
        """Send audio that is in the session's format."""
        if audio:
            self._turn_bytes += len(audio)
            await self.session.append_audio(audio)

    async def connected(self) -> None:
        """Wait for a connection, so that audio which can wait is not dropped between two."""
        while self.session.link is None and not self.session.is_over:
            await self.session.changes.next()

    async def end(self, pace: Pace, *, trailing_silence_ms: int, name: str, is_ahead: bool) -> None:
        """End the last turn: by silence where turn detection is on, else by a commit and a request for an answer.

        Args:
            pace: How fast silence is sent.
            trailing_silence_ms: Silence by which turn detection finds the end, in milliseconds.
            name: What messages call the input.
            is_ahead: Whether the audio was sent faster than it was spoken, so that the endpoint may have to catch up.

        Raises:
            InputError: the turn is too short.
        """
        if self._is_translated:
            await self._keep_silent(trailing_silence_ms / 1000, pace)
        elif self.session.state.configuration.detects_turns:
            await self._keep_silent(trailing_silence_ms / 1000, pace)
            if is_ahead:
                await self._caught_up()
            await self._end_detected(name)
        else:
            await self.commit(name)
            await self.ask()

    async def commit(self, name: str) -> None:
        """Make what was sent a turn.

        Args:
            name: What messages call the input.

        Raises:
            InputError: the turn is too short.
        """
        turn_ms = self.turn_ms
        self.begin_turn()
        if turn_ms < SHORTEST_TURN_MS:
            msg = f"{name} lasts {turn_ms:.0f} ms, and nothing below {SHORTEST_TURN_MS} ms can be a turn"
            raise InputError(msg)
        await self.session.send({"type": "input_audio_buffer.commit"})

    async def ask(self) -> None:
        """Ask for an answer where the session is a conversation, not a transcription."""
        if self.session.state.kind == "realtime":
            await self.session.respond()

    async def _keep_silent(self, duration_s: float, pace: Pace) -> None:
        left = self.form.size_bytes(duration_s * 1000)
        while left > 0:
            piece = min(self.frame_bytes, left)
            left -= piece
            await pace.due(self.form.seconds(piece))
            await self.session.append_audio(self.form.silence(piece))

    async def _leave(self) -> None:
        with anyio.move_on_after(_LEAVE_S, shield=True), suppress(RunnerError):
            if self._is_speaking:
                await self.session.send({"type": "input_audio_buffer.commit"})

    async def _end_detected(self, name: str) -> None:
        silence = Pace()
        for _ in range(round(_MOST_SILENCE_S * 1000 / _FRAME_MS)):
            if not self._is_speaking:
                break
            await self._keep_silent(_FRAME_MS / 1000, silence)
        if self._is_speaking:
            await self.session.send({"type": "input_audio_buffer.commit"})
            if self.session.state.configuration.answers_turns:
                # The endpoint answers by itself only the turns that its turn detection has ended.
                await self.ask()
        elif not any(item.role == "user" for item in self.session.state.conversation.items):
            logs.logger().warning("nobody_heard", input=name)

    async def _caught_up(self) -> None:
        """Wait until the endpoint has dealt with all that was sent: it confirms an update in its turn."""
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
