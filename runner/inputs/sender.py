"""The user's audio on its way to a session: converted to the session's format, sent, and ended as a turn."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

import anyio

from runner import logs
from runner.audio.resampling import Resampler
from runner.errors import InputError, ProtocolError, RunnerError
from runner.inputs.live_answer import answered
from runner.inputs.pacing import Pace
from runner.inputs.spoken_audio import SpokenAudio

if TYPE_CHECKING:
    from types import TracebackType

    from runner.api.session_types import SessionType
    from runner.inputs.answer_stop import PlayingAnswers
    from runner.inputs.input_switch import InputSwitch
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
        switch: The switch of the input; silence is sent while it is muted.
        has_end: Whether the audio ends, so that all of it has to be heard then.
    """

    def __init__(
        self,
        session: Session,
        *,
        rate: int,
        muted_by: PlayingAnswers | None = None,
        switch: InputSwitch | None = None,
        has_end: bool = False,
    ) -> None:
        self.session = session
        self.form = session.state.configuration.input_format
        self._is_muted = False
        """Whether the endpoint of a Live session was told that the input is muted."""
        self._turn_bytes = 0
        self._rate = rate
        self._spoken = SpokenAudio(session) if has_end else None
        self._resampler = Resampler(rate, self.form.rate)
        self._muted_by = muted_by
        self._switch = switch
        self._muted_until_s = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, anyio.get_cancelled_exc_class()):
            await self.leave()

    @property
    def _kind(self) -> SessionType:
        """The kind of session that hears it, which another profile may have changed."""
        return self.session.state.kind

    @property
    def frame_bytes(self) -> int:
        """The size of what is sent at a time in real time, in the session's format."""
        return self.form.size_bytes(_TRANSLATED_FRAME_MS if self._kind == "translation" else _FRAME_MS)

    @property
    def turn_ms(self) -> float:
        """How much audio was sent since the turn began, in milliseconds."""
        return self.form.ms(self._turn_bytes)

    def begin_turn(self) -> None:
        """Count the audio that is sent from now on as a new turn."""
        self._turn_bytes = 0

    def encoded(self, pcm: bytes, *, last: bool = False) -> bytes:
        """Samples in the session's format, as far as the resampler gives them yet; `last` brings the rest."""
        if self._spoken:
            self._spoken.take(pcm, self._rate)
        return self.form.encode(self._resampler.convert(pcm, last=last))

    async def send_samples(self, pcm: bytes, *, last: bool = False) -> None:
        """Send 16-bit samples, or silence where they may be an echo; `last` also sends what the resampler holds."""
        is_muted = self._switch is not None and self._switch.is_muted
        is_silent = is_muted or self._hears_itself
        if self._kind == "live":
            if is_muted is not self._is_muted:
                self._is_muted = is_muted
                await self.session.send({"type": f"session.input_audio.{'mute' if is_muted else 'unmute'}"})
            if is_silent and not last:
                # Near-silence takes its place.
                return
        await self.send(self.encoded(bytes(len(pcm)) if is_silent else pcm, last=last))

    async def send(self, audio: bytes) -> None:
        """Send audio that is in the session's format."""
        if audio:
            self._turn_bytes += len(audio)
            await self.session.append_audio(audio)
            if self._spoken:
                self._spoken.sent(self.form.ms(len(audio)))

    async def connected(self) -> None:
        """Wait for a connection, so that audio which can wait is not dropped between two."""
        while self.session.link is None and not self.session.is_over:
            await self.session.changes.next()

    async def end(self, pace: Pace, *, trailing_silence_ms: int, name: str, hearing_timeout_s: float) -> None:
        """End the last turn: by silence where turn detection is on, else by a commit and a request for an answer.

        A Live session hears silence anyway; what was said to it is to be answered.

        Args:
            pace: How fast silence is sent.
            trailing_silence_ms: Silence by which turn detection finds the end, in milliseconds.
            name: What messages call the input.
            hearing_timeout_s: How long turn detection may give no sign of what was said, beyond the time that it takes
                to say it, in seconds.

        Raises:
            InputError: the turn is too short.
        """
        silence_s, kind = trailing_silence_ms / 1000, self._kind
        await self._end_turn(pace, silence_s, name, hearing_timeout_s)
        while self._kind != kind and not self.session.is_over:
            # Another kind of session has taken over, and hears the end of a turn in another way.
            kind = self._kind
            if kind == "live" or self.session.state.configuration.detects_turns:
                await self._end_turn(pace, silence_s, name, hearing_timeout_s)
            elif self.session.state.conversation.ends_with_words(but=()):
                await self.ask()
        if self._spoken and self._spoken.lost_s:
            lost_s = round(self._spoken.lost_s, 1)
            logs.logger().error("audio_lost", input=name, lost_s=lost_s)
            self.session.give_up(InputError(f"{lost_s} s of {name} went with a connection that had not heard them"))

    async def _end_turn(self, pace: Pace, silence_s: float, name: str, hearing_timeout_s: float) -> None:
        if self._kind == "translation":
            await self._keep_silent(silence_s, pace)
        elif self._kind == "live":
            await answered(self.session, name, settle_s=silence_s, timeout_s=silence_s + hearing_timeout_s)
        elif self.session.state.configuration.detects_turns:
            await self._keep_silent(silence_s, pace)
            await self._heard(hearing_timeout_s)
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

    async def leave(self) -> None:
        """Commit the turn in whose middle the input is cut off, since turn detection would wait for more."""
        with anyio.move_on_after(_LEAVE_S, shield=True), suppress(RunnerError):
            if self._is_speaking and self._kind != "live":
                await self.session.send({"type": "input_audio_buffer.commit"})

    async def _heard(self, timeout_s: float) -> None:
        """Wait until turn detection has come to the end of what was said, or gives no sign of it for too long.

        Endpoints hear beside what they do: nothing that they confirm says that they have heard all that came before. A
        turn that does not end gets more silence.
        """
        session, silence, sign, since_s = self.session, Pace(), (0, 0, ""), anyio.current_time()
        while not session.is_over and self._kind != "live":
            pending, now_s = session.state.pending, anyio.current_time()
            if sign != (session.epoch, pending.settled, pending.turn):
                sign, since_s = (session.epoch, pending.settled, pending.turn), now_s
            left_s = since_s + self._unheard_s + (_MOST_SILENCE_S if self._is_speaking else timeout_s) - now_s
            if self._is_speaking:
                if left_s <= 0:
                    break
                await self._keep_silent(_FRAME_MS / 1000, silence)
            elif session.link is None or session.state.is_pending:
                await session.changes.next()
                since_s = anyio.current_time()
            elif (self._unheard_s or self._is_unplaced) and left_s > 0:
                with anyio.move_on_after(left_s):
                    await session.changes.next()
            else:
                break

    async def _end_detected(self, name: str) -> None:
        """End the turn that turn detection has not ended, and say what it has not heard."""
        session, error = self.session, logs.logger().error
        if session.is_over or self._kind == "live":
            return
        if self._is_speaking:
            await session.send({"type": "input_audio_buffer.commit"})
            if session.state.configuration.answers_turns:
                # The endpoint answers by itself only the turns that its turn detection has ended.
                await self.ask()
        elif not self._is_somebody_heard:
            error("nobody_heard", input=name)
            session.give_up(ProtocolError(f"turn detection has heard nobody in {name}"))
        elif unheard_s := round(self._unheard_s, 1):
            error("audio_unheard", input=name, unheard_s=unheard_s)
            session.give_up(ProtocolError(f"turn detection has not heard the last {unheard_s} s of {name}"))

    @property
    def _unheard_s(self) -> float:
        """How long it takes to hear what was said and not heard yet, in seconds; 0 where that is not known."""
        return self._spoken.rest_s if self._spoken and not self._is_unplaced else 0.0

    @property
    def _is_unplaced(self) -> bool:
        """Whether turn detection has heard somebody and never says where."""
        return self._is_somebody_heard and not self._is_speaking and not self.session.state.pending.heard_ms

    @property
    def _is_somebody_heard(self) -> bool:
        state = self.session.state
        return bool(state.pending.turns) or any(item.role == "user" for item in state.conversation.items)

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
