"""One translation session of the local endpoint, without I/O; what it says is plainly no translation."""

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
from runner.local.session.identifiers import new_id
from runner.local.session.input_buffer import Detection, InputBuffer, TurnAudio
from runner.local.session.item_store import audio_bytes
from runner.local.session.jobs import Job, ServerEvent, Settle
from runner.local.session.parsing import event_id_of, read_document, read_event
from runner.local.session.response import event
from runner.local.session.transcription import transcribed
from runner.local.session.turn_detection import TurnSettings, TurnStarted
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


class TranslatingSession:
    """Says each turn that it understands again, with the language in front: `[es] Good morning`.

    Args:
        engines: What it hears and speaks with.
        model: The model that the client asked for.
        expires_at: When the session ends, in Unix seconds.

    Attributes:
        is_over: Whether `session.closed` was said.
    """

    def __init__(self, engines: Engines, *, model: str, expires_at: int) -> None:
        self.id = new_id("sess")
        self.is_over = False
        self._engines = engines
        self._view = {"id": self.id, "type": "translation", "expires_at": expires_at, "model": model}
        self._input: dict[str, Any] = {"transcription": None, "noise_reduction": None}
        self._output: dict[str, Any] = {"language": _DEFAULT_LANGUAGE}
        self._input_buffer = InputBuffer(engines.speech.detector, is_slow=engines.speech.is_slow)
        self._input_buffer.configure(PCM, TurnSettings())
        self._jobs: list[Job] = []
        self._turns: list[tuple[TurnAudio, float]] = []
        self._said_at_ms = 0.0
        self._speech: Iterator[tuple[str, bytes]] | None = None
        self._is_working = False
        self._is_detecting = False
        self._is_closing = False
        self._separator = ""
        self._handlers: dict[str, Callable[[Any], list[ServerEvent]]] = {
            "session.update": self._update,
            "session.input_audio_buffer.append": self._append,
            "session.close": self._close,
        }

    @property
    def busy(self) -> bool:
        """Whether `advance` has something to say."""
        return self._speech is not None and not self._engines.speech.is_slow

    @property
    def is_behind(self) -> bool:
        """Whether no more messages should be taken until some jobs are done."""
        return self._input_buffer.is_behind or len(self._turns) > _MAX_WAITING_TURNS

    def take_jobs(self) -> list[Job]:
        """The slow work that has come up; what each one returns is to be called, as `receive` is."""
        jobs = self._jobs[:]
        self._jobs.clear()
        return jobs

    def open(self) -> list[ServerEvent]:
        """The first event of the session."""
        return [event("session.created", session=self._shown())]

    def receive(self, message: str | bytes) -> list[ServerEvent]:
        """The answers to a client's message; what is wrong with it is answered by an `error` event."""
        event_id: str | None = None
        try:
            document = read_document(message)
            event_id = event_id_of(document)
            client_event = read_event(document, _EVENT_TYPES)
            return self._carry_out(document["type"], client_event)
        except ApiError as error:
            logs.logger().info("client_event_refused", session_id=self.id, code=error.code, param=error.param)
            return [event("error", error=error.body(event_id))]

    def _carry_out(self, name: str, client_event: ClientEventBase) -> list[ServerEvent]:
        if self._is_closing:
            raise ApiError("The session is closing.", code="session_closing")
        return self._handlers[name](client_event)

    def advance(self) -> list[ServerEvent]:
        """The next piece of what is being said."""
        return self._said(next(self._speech, None)) if self._speech else []

    def expire(self, reason: str) -> list[ServerEvent]:
        """The last event of a session whose time is over."""
        body = {"type": "invalid_request_error", "code": "session_expired", "message": reason, "param": None}
        return [event("error", error={**body, "event_id": None})]

    def _shown(self) -> dict[str, Any]:
        return {**self._view, "audio": {"input": dict(self._input), "output": dict(self._output)}}

    def _update(self, update: _Update) -> list[ServerEvent]:
        audio = update.to_wire()["session"].get("audio") or {}
        self._input |= shown_as(audio.get("input") or {})
        language = (audio.get("output") or {}).get("language")
        self._output["language"] = language or self._output["language"]
        return [event("session.updated", session=self._shown())]

    def _append(self, append: SessionInputAudioBufferAppend) -> list[ServerEvent]:
        self._take(self._input_buffer.append(audio_bytes(append.audio, "audio")))
        return self._go_on()

    def _close(self, _event: SessionClose) -> list[ServerEvent]:
        self._is_closing = True
        return self._go_on()

    def _take(self, detections: Iterator[Detection]) -> None:
        for what, audio in detections:
            if audio is not None and not isinstance(what, TurnStarted):
                self._turns.append((audio, what.end_ms))

    def _go_on(self) -> list[ServerEvent]:
        """Do what comes next: find turns, write one down, say it, and close at the end."""
        if found := self._input_buffer.take_work():
            self._is_detecting = True
            self._jobs.append(Job("detector", partial(self._detecting, found)))
        if self._is_working:
            return []
        if self._is_closing and not self._is_detecting and (last := self._input_buffer.end_turn()):
            self._turns.append((last, self._input_buffer.received_ms))
        if self._turns:
            self._is_working = True
            turn, self._said_at_ms = self._turns.pop(0)
            self._jobs.append(Job("transcriber", partial(self._writing, turn)))
        elif self._is_closing and not self._is_detecting:
            self.is_over = True
            return [event("session.closed")]
        return []

    def _detecting(self, detect: Callable[[], Callable[[], Iterator[Detection]]]) -> Settle:
        happened = detect()

        def settle() -> list[ServerEvent]:
            self._is_detecting = False
            self._take(happened())
            return self._go_on()

        return settle

    def _writing(self, turn: TurnAudio) -> Settle:
        words, _error = transcribed(self._engines.speech.transcriber, turn.pcm(), turn.audio_format.rate)
        return partial(self._translate, words)

    def _translate(self, words: str | None) -> list[ServerEvent]:
        if not words:
            # Nothing is invented: what was not understood is not translated.
            logs.logger().info("turn_not_understood", session_id=self.id)
            self._is_working = False
            return self._go_on()
        events = []
        if self._input["transcription"]:
            events = [self._delta("input_transcript", delta=piece) for piece in pieces(self._separator + words)]
        text = f"{self._separator}[{self._output['language']}] {words}"
        self._separator = " "
        self._speech = iter(self._engines.speech.voice.speak(text, PCM.rate))
        self._fetch()
        return events

    def _fetch(self) -> None:
        speech = self._speech
        if speech is None or not self._engines.speech.is_slow:
            return

        def work() -> Settle:
            try:
                piece = next(speech, None)
            except Exception:  # noqa: BLE001  # a model may raise anything; the rest of the turn is not said
                logs.logger().exception("voice_failed")
                piece = None
            return partial(self._said, piece)

        self._jobs.append(Job("voice", work))

    def _said(self, piece: tuple[str, bytes] | None) -> list[ServerEvent]:
        if piece is None:
            self._speech, self._is_working = None, False
            return self._go_on()
        self._fetch()
        text, pcm = piece
        events = [self._delta("output_transcript", delta=text)] if text else []
        if pcm:
            shape = {"sample_rate": PCM.rate, "channels": 1, "format": "pcm16"}
            delta = pybase64.b64encode_as_string(pcm)
            events.append(self._delta("output_audio", delta=delta, **shape))
        return events

    def _delta(self, what: str, **fields: Any) -> ServerEvent:
        return event(f"session.{what}.delta", **fields, elapsed_ms=int(self._said_at_ms))
