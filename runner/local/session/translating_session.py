"""A translation session of the local endpoint; what it speaks is plainly no translation."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, Literal

import pybase64

from runner import logs
from runner.api.api_object import ApiObject
from runner.api.audio_config import TranslationAudio
from runner.api.client_events import ClientEventBase, SessionClose, SessionInputAudioBufferAppend
from runner.audio.format import PCM
from runner.local.session.api_error import ApiError
from runner.local.session.effective_config import shown_as
from runner.local.session.input_buffer import DetectedTurn, Detection, TurnAudio
from runner.local.session.jobs import Job, Settle
from runner.local.session.local_session import LocalSession
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.session.transcription import transcribe_turn
from runner.local.session.turn_detection import TurnSettings
from runner.local.speech.engines import Engines
from runner.local.speech.tones import pieces

_DEFAULT_LANGUAGE: Final = "en"
_MAX_WAITING_TURNS: Final = 8


class _Change(ApiObject):
    audio: TranslationAudio | None = None


class _Update(ClientEventBase):
    type: Literal["session.update"] = "session.update"
    session: _Change


_EVENT_TYPES: Final[dict[str, type[ClientEventBase]]] = {
    "session.update": _Update,
    "session.input_audio_buffer.append": SessionInputAudioBufferAppend,
    "session.close": SessionClose,
}


class TranslatingSession(LocalSession):
    """A translation session that repeats each turn with the language in front: `[es] Good morning`.

    Args:
        engines: What the session detects, transcribes and speaks with.
        model: The model that the client has asked for; the session only repeats it.
        expires_at: When the session ends, in Unix seconds; the caller watches the clock.
    """

    _event_types = _EVENT_TYPES

    def __init__(self, engines: Engines, *, model: str, expires_at: int) -> None:
        super().__init__(engines)
        self._engines = engines
        self._identity = {"id": self.id, "type": "translation", "expires_at": expires_at, "model": model}
        self._input: dict[str, Any] = {"transcription": None, "noise_reduction": None}
        self._output: dict[str, Any] = {"language": _DEFAULT_LANGUAGE}
        self._input_buffer.configure(PCM, TurnSettings())
        self._turns: list[tuple[TurnAudio, float]] = []
        self._turn_ended_ms = 0.0
        self._speech: Iterator[tuple[str, bytes]] | None = None
        self._is_translating = False
        self._is_closing = False
        self._separator = ""
        self._handlers: dict[str, Callable[[Any], list[ServerEvent]]] = {
            "session.update": self._update,
            "session.input_audio_buffer.append": self._append,
            "session.close": self._close,
        }

    @property
    def can_advance(self) -> bool:
        """Whether a translation goes on by itself."""
        return self._speech is not None and not self._engines.speech.is_slow

    @property
    def is_behind(self) -> bool:
        """Whether too much audio waits for the detector, or too many turns for their translation."""
        return super().is_behind or len(self._turns) > _MAX_WAITING_TURNS

    def open(self) -> list[ServerEvent]:
        """The session has begun; returns `session.created`."""
        return [server_event("session.created", session=self._session_object())]

    def advance(self) -> list[ServerEvent]:
        """The translation goes on by one piece; returns its events."""
        return self._add_piece(next(self._speech, None)) if self._speech else []

    def _carry_out(self, name: str, client_event: ClientEventBase) -> list[ServerEvent]:
        if self._is_closing:
            raise ApiError("The session is closing.", code="session_closing")
        return self._handlers[name](client_event)

    def _session_object(self) -> dict[str, Any]:
        return {**self._identity, "audio": {"input": dict(self._input), "output": dict(self._output)}}

    def _update(self, update: _Update) -> list[ServerEvent]:
        audio = update.to_wire()["session"].get("audio") or {}
        self._input |= shown_as(audio.get("input") or {})
        language = (audio.get("output") or {}).get("language")
        self._output["language"] = language or self._output["language"]
        return [server_event("session.updated", session=self._session_object())]

    def _react(self, detection: Detection) -> list[ServerEvent]:
        if isinstance(detection, DetectedTurn):
            self._turns.append((detection.audio, detection.found.end_ms))
        return []

    def _follow(self, detections: Iterator[Detection]) -> list[ServerEvent]:
        return super()._follow(detections) + self._translate_next()

    def _close(self, _event: SessionClose) -> list[ServerEvent]:
        self._is_closing = True
        return self._translate_next()

    def _translate_next(self) -> list[ServerEvent]:
        """Translate the next turn; close the session once the client has asked for it and no turn is left."""
        if self._is_translating:
            return []
        is_last = self._is_closing and not self._input_buffer.is_detecting
        if is_last and (last := self._input_buffer.end_turn()):
            self._turns.append((last, self._input_buffer.received_ms))
        if self._turns:
            self._is_translating = True
            turn, self._turn_ended_ms = self._turns.pop(0)
            self._jobs.append(Job("transcriber", partial(self._transcribe, turn)))
        elif is_last:
            self.is_over = True
            return [server_event("session.closed")]
        return []

    def _transcribe(self, turn: TurnAudio) -> Settle:
        words, _error = transcribe_turn(self._engines.speech.transcriber, turn.pcm(), turn.audio_format.rate)
        return partial(self._speak_translation, words)

    def _speak_translation(self, words: str | None) -> list[ServerEvent]:
        if not words:
            # The endpoint invents nothing: a turn without a transcript is not translated.
            logs.logger().info("turn_not_understood")
            self._is_translating = False
            return self._translate_next()
        events = []
        if self._input["transcription"]:
            events = [self._delta("input_transcript", delta=piece) for piece in pieces(self._separator + words)]
        text = f"{self._separator}[{self._output['language']}] {words}"
        self._separator = " "
        self._speech = iter(self._engines.speech.voice.speak(text, PCM.rate))
        self._synthesize_next()
        return events

    def _synthesize_next(self) -> None:
        speech = self._speech
        if speech is None or not self._engines.speech.is_slow:
            return

        def work() -> Settle:
            try:
                piece = next(speech, None)
            except Exception:  # noqa: BLE001  # a model may raise anything; the rest of the turn is not spoken
                logs.logger().exception("voice_failed")
                piece = None
            return partial(self._add_piece, piece)

        self._jobs.append(Job("voice", work))

    def _add_piece(self, piece: tuple[str, bytes] | None) -> list[ServerEvent]:
        if piece is None:
            self._speech, self._is_translating = None, False
            return self._translate_next()
        self._synthesize_next()
        text, pcm = piece
        events = [self._delta("output_transcript", delta=text)] if text else []
        if pcm:
            shape = {"sample_rate": PCM.rate, "channels": 1, "format": "pcm16"}
            delta = pybase64.b64encode_as_string(pcm)
            events.append(self._delta("output_audio", delta=delta, **shape))
        return events

    def _delta(self, what: str, **fields: Any) -> ServerEvent:
        return server_event(f"session.{what}.delta", **fields, elapsed_ms=int(self._turn_ended_ms))
