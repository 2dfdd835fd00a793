"""A Live session of the local endpoint: it listens while it speaks, and its time is that of the audio that it hears."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from runner import logs
from runner.api.client_events import ClientEventBase
from runner.api.live_events import (
    LIVE_CLIENT_EVENT_TYPES,
    CommentaryAppend,
    ContextAppend,
    InstructionsAppend,
    LiveAudioAppend,
    LiveStart,
    LiveUpdate,
)
from runner.audio.format import AudioFormat
from runner.local.session.api_error import ApiError
from runner.local.session.identifiers import new_id
from runner.local.session.input_buffer import DetectedTurn, Detection, TurnAudio
from runner.local.session.jobs import Job, Settle
from runner.local.session.live_config import MAX_CONTEXT_TOKENS, LiveConfig, check_tokens
from runner.local.session.live_conversation import LiveConversation
from runner.local.session.live_mind import LiveMind
from runner.local.session.live_speech import LiveSpeech
from runner.local.session.local_session import LocalSession
from runner.local.session.parsing import decode_audio
from runner.local.session.server_event import ServerEvent, live_error, server_event
from runner.local.session.transcription import transcribe_turn
from runner.local.session.turn_detection import TurnSettings, TurnStarted
from runner.local.speech.engines import Engines
from runner.local.speech.tones import pieces

USAGE_INTERVAL_S: Final = 15.0
_SLICE_MS: Final = 100
"""Longer audio is heard in slices, so that the model stops in the middle of it where somebody speaks over it."""
_MAX_WAITING_TURNS: Final = 8
_TURNS: Final = TurnSettings()


@dataclass
class _Life:
    """A session that has started."""

    config: LiveConfig
    audio_format: AudioFormat
    conversation: LiveConversation
    speech: LiveSpeech
    mind: LiveMind
    started_s: float


class DuplexSession(LocalSession):
    """A Live session; while no audio comes, nothing is said.

    Args:
        engines: What the session detects, transcribes, answers and speaks with.
        expires_at: When the session ends, in Unix seconds; the caller watches the clock.
        clock: The time in seconds, by which the session's usage is counted.
    """

    def __init__(self, engines: Engines, *, expires_at: int, clock: Callable[[], float]) -> None:
        super().__init__(engines)
        self.id = new_id("live")
        self._event_types = LIVE_CLIENT_EVENT_TYPES
        self._engines = engines
        self._expires_at = expires_at
        self._clock = clock
        self._life: _Life | None = None
        self._is_muted = False
        self._closing: ClientEventBase | None = None
        self._turns_in_progress = 0
        self._separator = ""
        self._handlers: dict[str, Callable[[_Life, Any], list[ServerEvent]]] = {
            "session.update": self._update,
            "session.input_audio.append": self._hear,
            "session.input_audio.mute": partial(self._mute, is_muted=True),
            "session.input_audio.unmute": partial(self._mute, is_muted=False),
            "session.instructions.append": self._append_context,
            "session.thinking.append": self._append_context,
            "session.commentary.append": self._append_context,
            "session.close": self._close,
        }

    @property
    def can_advance(self) -> bool:
        """Whether the session goes on by itself."""
        return False

    @property
    def is_behind(self) -> bool:
        """Whether too much audio waits for the detector, or too many turns for the transcriber."""
        return super().is_behind or self._turns_in_progress > _MAX_WAITING_TURNS

    @property
    def tick_s(self) -> float | None:
        """How often the usage is told, in seconds."""
        return USAGE_INTERVAL_S

    def open(self) -> list[ServerEvent]:
        """The connection stands; the client has the first word."""
        return []

    def advance(self) -> list[ServerEvent]:
        """Nothing goes on by itself."""
        return []

    def tick(self) -> list[ServerEvent]:
        """Tell what the session has used so far."""
        if self._life is None or self.is_over:
            return []
        return [server_event("session.usage.updated", usage=self._usage(self._life))]

    def expire(self, reason: str) -> list[ServerEvent]:
        """The session's time is over; returns its last event."""
        if self._life is None:
            return [live_error(kind="invalid_request_error", code="session_expired", message=reason)]
        return self._closed(self._life, "expired")

    def _refusal(self, error: ApiError, event_id: str | None) -> ServerEvent:
        return live_error(
            kind="invalid_request_error", code=error.code, message=error.message, param=error.param, event_id=event_id
        )

    def _carry_out(self, name: str, client_event: ClientEventBase) -> list[ServerEvent]:
        if isinstance(client_event, LiveStart):
            return self._start(client_event)
        if self._life is None:
            message = f"'{name}' needs a session that has started: send 'session.start' and wait for 'session.started'."
            raise ApiError(message, code="session_not_started", param="type")
        if self._closing is None:
            if name not in self._handlers:
                raise ApiError(f"'{name}' is not supported by the local endpoint.", code="unsupported", param="type")
            return self._handlers[name](self._life, client_event)
        if isinstance(client_event, LiveAudioAppend):
            # A stream goes on until its client has seen that the session is closed.
            return []
        raise ApiError("The session is closing.", code="session_closing", param="type")

    def _start(self, start: LiveStart) -> list[ServerEvent]:
        if self._life is not None:
            raise ApiError("The session has started already.", code="session_already_started", param="type")
        config = LiveConfig(
            start.session, session_id=self.id, expires_at=self._expires_at, instructions=self._engines.notice
        )
        conversation = LiveConversation(config.history)
        speech = LiveSpeech(
            config.audio_format,
            is_slow=self._engines.speech.is_slow,
            assign=self._jobs.append,
            note=conversation.go_on,
        )
        mind = LiveMind(self._engines, config, conversation, speech, self._jobs.append)
        self._input_buffer.configure(config.audio_format, _TURNS)
        self._life = _Life(config, config.audio_format, conversation, speech, mind, self._clock())
        return [_answer("session.started", start, session=config.view())]

    def _update(self, life: _Life, update: LiveUpdate) -> list[ServerEvent]:
        life.config.update(update.to_wire()["session"])
        return [_answer("session.updated", update, session=life.config.view())]

    def _hear(self, life: _Life, append: LiveAudioAppend) -> list[ServerEvent]:
        audio = decode_audio(append.audio, "audio")
        events: list[ServerEvent] = []
        size = life.audio_format.size_bytes(_SLICE_MS)
        for start in range(0, len(audio), size):
            heard = audio[start : start + size]
            at_ms = self._input_buffer.received_ms
            events += self._follow(
                self._input_buffer.append(life.audio_format.silence(len(heard)) if self._is_muted else heard)
            )
            events += life.speech.advance(len(heard), at_ms, may_begin=not self._input_buffer.item_id)
        return events

    def _mute(self, _life: _Life, mute: ClientEventBase, *, is_muted: bool) -> list[ServerEvent]:
        self._is_muted = is_muted
        return [_answer(f"session.input_audio.{'muted' if is_muted else 'unmuted'}", mute)]

    def _append_context(self, life: _Life, append: ContextAppend) -> list[ServerEvent]:
        check_tokens(append.content, MAX_CONTEXT_TOKENS, "content")
        kind = "thinking"
        if isinstance(append, CommentaryAppend):
            kind = "commentary"
            life.mind.comment(append.content)
        elif isinstance(append, InstructionsAppend):
            kind = "instructions"
            life.mind.instruct(append.content)
        else:
            life.mind.think(append.content)
        at_ms = int(self._input_buffer.received_ms)
        return [_answer(f"session.{kind}.appended", append, start_ms=at_ms, end_ms=at_ms)]

    def _react(self, detection: Detection) -> list[ServerEvent]:
        if self._life is None:
            return []
        if isinstance(detection, TurnStarted):
            self._life.speech.interrupt()
        elif isinstance(detection, DetectedTurn):
            spoken_until_ms = detection.found.end_ms - _TURNS.silence_ms
            self._take_turn(self._life, detection.audio, detection.found.start_ms, spoken_until_ms)
        return []

    def _follow(self, detections: Iterator[Detection]) -> list[ServerEvent]:
        return super()._follow(detections) + self._close_if_done()

    def _take_turn(self, life: _Life, audio: TurnAudio, start_ms: float, end_ms: float) -> None:
        """Have what the user has said written down, and answer it."""

        def work() -> Settle:
            words, _error = transcribe_turn(self._engines.speech.transcriber, audio.pcm(), audio.audio_format.rate)
            return partial(self._heard, life, words or "", start_ms, end_ms)

        self._turns_in_progress += 1
        self._jobs.append(Job("transcriber", work))

    def _heard(self, life: _Life, words: str, start_ms: float, end_ms: float) -> list[ServerEvent]:
        self._turns_in_progress -= 1
        events = self._written_down(words, start_ms, end_ms) if words else []
        if self._closing is None and not self.is_over:
            events += life.mind.hear(words, (end_ms - start_ms) / 1000)
        if not words:
            logs.logger().info("turn_not_understood")
        return events + self._close_if_done()

    def _written_down(self, words: str, start_ms: float, end_ms: float) -> list[ServerEvent]:
        """The fragments of what the user has said, each at its place by the number of its letters."""
        events, letters, said = [], len(words), 0
        for piece in pieces(words):
            begin, said = said, said + len(piece)
            times = [int(start_ms + (end_ms - start_ms) * at / letters) for at in (begin, said)]
            delta, self._separator = f"{self._separator}{piece}", ""
            events.append(
                server_event("session.input_transcript.delta", delta=delta, start_ms=times[0], end_ms=times[1])
            )
        self._separator = " "
        return events

    def _close(self, life: _Life, close: ClientEventBase) -> list[ServerEvent]:
        self._closing = close
        life.speech.stop()
        return self._close_if_done()

    def _close_if_done(self) -> list[ServerEvent]:
        """Close the session once the client has asked for it and all that it has said is written down."""
        if self._life is None or self._closing is None or self.is_over or self._input_buffer.is_detecting:
            return []
        start_ms = self._input_buffer.received_ms
        if last := self._input_buffer.end_turn():
            length_ms = last.audio_format.ms(len(last.data))
            self._take_turn(self._life, last, start_ms - length_ms, start_ms)
        return [] if self._turns_in_progress else self._closed(self._life, "close_requested", self._closing)

    def _closed(self, life: _Life, reason: str, close: ClientEventBase | None = None) -> list[ServerEvent]:
        self.is_over = True
        life.speech.stop()
        fields = {"reason": reason, "session": life.config.view(), "usage": self._usage(life)}
        return [_answer("session.closed", close, **fields) if close else server_event("session.closed", **fields)]

    def _usage(self, life: _Life) -> dict[str, Any]:
        """What the session has used, in whole seconds; the first counts from its beginning."""
        return {"seconds": max(1, round(self._clock() - life.started_s))}


def _answer(kind: str, client_event: ClientEventBase, **fields: Any) -> ServerEvent:
    """The event that answers a client event, by its id where it has one."""
    answered = {"client_event_id": client_event.event_id} if client_event.event_id else {}
    return server_event(kind, **answered, **fields)
