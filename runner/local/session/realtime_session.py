"""One session of the local endpoint, without I/O: client messages in, server events out."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from runner import logs
from runner.api.client_events import (
    ClientEventBase,
    ConversationItemCreate,
    InputAudioBufferAppend,
    ResponseCancel,
    ResponseCreate,
    ResponseCreateParams,
    SessionUpdate,
)
from runner.audio.format import FORMATS, AudioFormat
from runner.local.session.api_error import ApiError
from runner.local.session.effective_config import EffectiveConfig, SessionKind
from runner.local.session.identifiers import new_id
from runner.local.session.input_buffer import Detection, InputBuffer, TurnAudio
from runner.local.session.item_requests import ItemRequests
from runner.local.session.item_store import ItemStore, audio_bytes
from runner.local.session.jobs import Job, ServerEvent, Settle
from runner.local.session.parsing import event_id_of, read_document, read_event
from runner.local.session.response import Response, ResponseRequest, event
from runner.local.session.response_request import check_conversation, resolve_request
from runner.local.session.responses import Responses
from runner.local.session.transcription import Transcriptions
from runner.local.session.turn_detection import IdleTimeout, TurnStarted, turn_settings
from runner.local.speech.engines import Engines

_ONLY_IN_CONVERSATIONS: Final = frozenset(
    {
        "conversation.item.create",
        "conversation.item.truncate",
        "output_audio_buffer.clear",
        "response.create",
        "response.cancel",
    }
)


class LocalSession:
    """The state of one session and the turn_settings for what may happen in it.

    Args:
        engines: What it hears, thinks and speaks with.
        kind: A conversation or a transcription.
        model: The model that the client asked for; it is repeated, nothing more.
        expires_at: When the session ends, in Unix seconds; the caller watches the clock.
    """

    is_over = False

    def __init__(self, engines: Engines, *, kind: SessionKind, model: str, expires_at: int) -> None:
        self.id = new_id("sess")
        self.configuration = EffectiveConfig(
            kind, model=model, session_id=self.id, expires_at=expires_at, instructions=engines.notice
        )
        self.conversation = ItemStore()
        self._jobs: list[Job] = []
        self._input_buffer = InputBuffer(engines.speech.detector, is_slow=engines.speech.is_slow)
        self._transcriptions = Transcriptions(engines.speech.transcriber, self._jobs.append)
        self._items = ItemRequests(self.conversation, self._transcriptions)
        self._responses = Responses(engines, self._transcriptions, assign=self._jobs.append, ended=self._ended)
        self._began_ms = 0.0
        self._response_is_pending = False
        self._last_prompt_tokens = 0
        self._handlers: dict[str, Callable[[Any], list[ServerEvent]]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "output_audio_buffer.clear": self._clear_output,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._items.retrieve,
            "conversation.item.truncate": self._items.truncate,
            "conversation.item.delete": self._items.delete,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }
        self._configure_input()

    @property
    def busy(self) -> bool:
        """Whether `advance` has something to say."""
        return self._responses.is_ready

    @property
    def is_behind(self) -> bool:
        """Whether no more messages should be taken until some jobs are done."""
        return self._input_buffer.is_behind or self._transcriptions.is_behind

    def take_jobs(self) -> list[Job]:
        """The slow work that has come up; what each one returns is to be called, as `receive` is."""
        jobs = self._jobs[:]
        self._jobs.clear()
        return jobs

    def open(self) -> list[ServerEvent]:
        """The first event of the session."""
        return [event("session.created", session=self.configuration.view())]

    def receive(self, message: str | bytes) -> list[ServerEvent]:
        """The answers to a client's message; what is wrong with it is answered by an `error` event."""
        event_id: str | None = None
        try:
            document = read_document(message)
            event_id = event_id_of(document)
            client_event = read_event(document)
            return self._carry_out(str(document["type"]), client_event)
        except ApiError as error:
            logs.logger().info("client_event_refused", session_id=self.id, code=error.code, param=error.param)
            return [event("error", error=error.body(event_id))]

    def _carry_out(self, name: str, client_event: ClientEventBase) -> list[ServerEvent]:
        if self.configuration.kind == "transcription" and name in _ONLY_IN_CONVERSATIONS:
            message = f"'{name}' is not supported in a transcription session."
            raise ApiError(message, code="invalid_value", param="type")
        if name.startswith(("conversation.", "response.")):
            for response in self._responses.in_flight:
                response.show_text()
        return self._handlers[name](client_event)

    def advance(self) -> list[ServerEvent]:
        """The next piece of each response in flight."""
        return self._responses.advance()

    def expire(self, reason: str) -> list[ServerEvent]:
        """The last event of a session whose time is over."""
        body = {"type": "invalid_request_error", "code": "session_expired", "message": reason, "param": None}
        return [event("error", error={**body, "event_id": None})]

    def _update(self, update: SessionUpdate) -> list[ServerEvent]:
        change = update.to_wire()["session"]
        wanted = (change.get("audio") or {}).get("input", {}).get("format")
        if self._input_buffer.item_id and wanted and wanted["type"] != self._audio_format.encoding:
            message = "Cannot change the input format while speech is being detected."
            raise ApiError(message, code="invalid_value", param="session.audio.input.format")
        self.configuration.update(change, spoke=self._responses.spoke)
        self._configure_input()
        return [event("session.updated", session=self.configuration.view())]

    def _configure_input(self) -> None:
        self._turn_settings = turn_settings(self.configuration.input["turn_detection"])
        self._input_buffer.configure(self._audio_format, self._turn_settings)

    @property
    def _audio_format(self) -> AudioFormat:
        return FORMATS[self.configuration.input["format"]["type"]]

    def _append(self, append: InputAudioBufferAppend) -> list[ServerEvent]:
        audio = audio_bytes(append.audio, "audio")
        events = [each for detection in self._input_buffer.append(audio) for each in self._detection_events(detection)]
        self._detect()
        return events

    def _detect(self) -> None:
        if found := self._input_buffer.take_work():
            detect = found

            def work() -> Settle:
                happened = detect()
                return lambda: self._detected(happened())

            self._jobs.append(Job("detector", work))

    def _detected(self, detections: Iterator[Detection]) -> list[ServerEvent]:
        events = [each for detection in detections for each in self._detection_events(detection)]
        self._detect()
        return events

    def _detection_events(self, detection: Detection) -> list[ServerEvent]:
        what, audio = detection
        if isinstance(what, TurnStarted):
            started = event(
                "input_audio_buffer.speech_started", audio_start_ms=int(what.start_ms), item_id=what.item_id
            )
            return [started, *self._interrupted()]
        if isinstance(what, IdleTimeout):
            times = {"audio_start_ms": int(what.start_ms), "audio_end_ms": int(what.end_ms)}
            first = event("input_audio_buffer.timeout_triggered", **times, item_id=what.item_id)
        else:
            first = event("input_audio_buffer.speech_stopped", audio_end_ms=int(what.end_ms), item_id=what.item_id)
        assert audio is not None  # noqa: S101  # for the type checker
        events = [first, *self._committed(what.item_id, audio)]
        answers = isinstance(what, IdleTimeout) or (self._turn_settings is not None and self._turn_settings.answers)
        if answers and self.configuration.kind == "realtime":
            events += self._respond_to_turn()
        return events

    def _interrupted(self) -> list[ServerEvent]:
        speaking = self._responses.speaking
        if speaking is None or self._turn_settings is None or not self._turn_settings.interrupts:
            return []
        self._response_is_pending = False
        return self._responses.cancel(speaking, "turn_detected")

    def _respond_to_turn(self) -> list[ServerEvent]:
        """Answer what turn detection has found, after the response that is still in flight."""
        self._response_is_pending = self._responses.speaking is not None
        return [] if self._response_is_pending else self._start(ResponseCreateParams())

    def _ended(self, response: Response) -> list[ServerEvent]:
        self._input_buffer.responded(self._began_ms + response.audio_ms)
        answers = self._turn_settings is not None and self._turn_settings.answers
        return self._respond_to_turn() if self._response_is_pending and answers else []

    def _clear(self, _event: ClientEventBase) -> list[ServerEvent]:
        self._input_buffer.clear()
        return [event("input_audio_buffer.cleared")]

    def _clear_output(self, _event: ClientEventBase) -> list[ServerEvent]:
        message = "'output_audio_buffer.clear' is supported over WebRTC and SIP only."
        raise ApiError(message, code="invalid_value", param="type")

    def _commit(self, _event: ClientEventBase) -> list[ServerEvent]:
        return self._committed(*self._input_buffer.commit())

    def _committed(self, item_id: str, audio: TurnAudio) -> list[ServerEvent]:
        is_shown = self.configuration.input["transcription"] is not None
        return self._items.commit(item_id, audio, is_transcribed=is_shown)

    def _create_item(self, create: ConversationItemCreate) -> list[ServerEvent]:
        if create.item.id is not None and create.item.id == self._input_buffer.item_id:
            message = f"Error adding item: the id '{create.item.id}' is that of the turn that is being heard."
            raise ApiError(message, code="item_create_duplicate_item_id", param="item.id")
        return self._items.create(create, self._audio_format)

    def _respond(self, create: ResponseCreate) -> list[ServerEvent]:
        return self._start(create.response or ResponseCreateParams())

    def _start(self, params: ResponseCreateParams) -> list[ServerEvent]:
        in_conversation = check_conversation(params)
        if in_conversation and self._responses.speaking:
            message = (
                f"Conversation already has an active response in progress: {self._responses.speaking.id}. "
                "Wait until the response is finished before creating a new one."
            )
            raise ApiError(message, code="conversation_already_has_active_response")
        request = resolve_request(
            params,
            configuration=self.configuration,
            conversation=self.conversation,
            last_prompt_tokens=self._last_prompt_tokens,
            spoke=self._responses.spoke,
        )
        response = self._new_response(request, self.conversation if in_conversation else None)
        if in_conversation:
            self._last_prompt_tokens = request.prompt_tokens.total
            self._began_ms = self._input_buffer.received_ms
            self._input_buffer.responding()
        return self._responses.start(response, in_conversation=in_conversation)

    def _new_response(self, request: ResponseRequest, conversation: ItemStore | None) -> Response:
        return Response(request, conversation)

    def _cancel(self, cancel: ResponseCancel) -> list[ServerEvent]:
        wanted, responses = cancel.response_id, self._responses
        found = responses.speaking if wanted is None else next((r for r in responses.in_flight if r.id == wanted), None)
        if found is None:
            raise ApiError("Cancellation failed: no active response found", code="response_cancel_not_active")
        if found is responses.speaking:
            # Whoever cancels wants silence, not the next answer.
            self._response_is_pending = False
        return responses.cancel(found, "client_cancelled")
