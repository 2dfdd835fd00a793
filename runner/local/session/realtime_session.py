"""A realtime or a transcription session of the local endpoint."""

from collections.abc import Callable
from typing import Any, Final

from runner.api.client_events import (
    CLIENT_EVENT_TYPES,
    ClientEventBase,
    ConversationItemCreate,
    ResponseCancel,
    ResponseCreate,
    ResponseCreateParams,
    SessionUpdate,
)
from runner.audio.format import FORMATS, AudioFormat
from runner.local.session.api_error import ApiError
from runner.local.session.effective_config import EffectiveConfig, SessionKind
from runner.local.session.input_buffer import Detection, TurnAudio
from runner.local.session.item_requests import ItemRequests
from runner.local.session.item_store import ItemStore
from runner.local.session.local_session import LocalSession
from runner.local.session.prompts import asks_approval
from runner.local.session.response import Response
from runner.local.session.response_request import ResponseRequest, is_in_conversation, resolve_request
from runner.local.session.responses import Responses
from runner.local.session.server_event import ServerEvent, server_event
from runner.local.session.server_listing import ServerListing
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


class LocalRealtimeSession(LocalSession):
    """A realtime or a transcription session: its configuration, its conversation, and its responses.

    Args:
        engines: What the session detects, transcribes, answers and speaks with.
        kind: The type of the session.
        model: The model that the client has asked for; the session only repeats it.
        expires_at: When the session ends, in Unix seconds; the caller watches the clock.
        is_deployment: Whether `model` is the name of a deployment, as on Azure.
    """

    _event_types = CLIENT_EVENT_TYPES

    def __init__(
        self, engines: Engines, *, kind: SessionKind, model: str, expires_at: int, is_deployment: bool = False
    ) -> None:
        super().__init__(engines)
        self.configuration = EffectiveConfig(
            kind,
            model=model,
            session_id=self.id,
            expires_at=expires_at,
            instructions=engines.notice,
            is_deployment=is_deployment,
        )
        self.conversation = ItemStore()
        self._transcriptions = Transcriptions(engines.speech.transcriber, self._jobs.append)
        self._items = ItemRequests(self.conversation, self._transcriptions)
        self._responses = Responses(engines, self._transcriptions, assign=self._jobs.append, on_end=self._ended)
        self._servers = ServerListing(self.conversation, engines.replies)
        self._response_began_ms = 0.0
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
    def can_advance(self) -> bool:
        """Whether a response goes on by itself."""
        return self._responses.can_advance

    @property
    def is_behind(self) -> bool:
        """Whether too much audio waits for the detector, or too many turns for the transcriber."""
        return super().is_behind or self._transcriptions.is_behind

    def open(self) -> list[ServerEvent]:
        """The session has begun; returns `session.created`."""
        return [server_event("session.created", session=self.configuration.view())]

    def advance(self) -> list[ServerEvent]:
        """Each response that needs no job goes on by one piece; returns its events."""
        return self._responses.advance()

    def _carry_out(self, name: str, client_event: ClientEventBase) -> list[ServerEvent]:
        if self.configuration.kind == "transcription" and name in _ONLY_IN_CONVERSATIONS:
            message = f"'{name}' is not supported in a transcription session."
            raise ApiError(message, code="invalid_value", param="type")
        if name.startswith(("conversation.", "response.")):
            for response in self._responses.in_flight:
                response.show_text()
        return self._handlers[name](client_event)

    def _update(self, update: SessionUpdate) -> list[ServerEvent]:
        change = update.to_wire()["session"]
        wanted = (change.get("audio") or {}).get("input", {}).get("format")
        if self._input_buffer.item_id and wanted and wanted["type"] != self._audio_format.encoding:
            message = "Cannot change the input format while speech is being detected."
            raise ApiError(message, code="invalid_value", param="session.audio.input.format")
        self.configuration.update(change, has_sent_audio=self._responses.has_sent_audio)
        self._configure_input()
        updated = server_event("session.updated", session=self.configuration.view())
        return [updated, *self._servers.announce(change.get("tools") or ())]

    def _configure_input(self) -> None:
        self._turn_settings = turn_settings(self.configuration.input["turn_detection"])
        self._input_buffer.configure(self._audio_format, self._turn_settings)

    @property
    def _audio_format(self) -> AudioFormat:
        return FORMATS[self.configuration.input["format"]["type"]]

    def _react(self, detection: Detection) -> list[ServerEvent]:
        if isinstance(detection, TurnStarted):
            times = {"audio_start_ms": int(detection.start_ms)}
            started = server_event("input_audio_buffer.speech_started", **times, item_id=detection.item_id)
            return [started, *self._interrupt()]
        found, audio = detection
        times = {"audio_end_ms": int(found.end_ms)}
        kind = "input_audio_buffer.speech_stopped"
        if isinstance(found, IdleTimeout):
            times = {"audio_start_ms": int(found.start_ms), **times}
            kind = "input_audio_buffer.timeout_triggered"
        events = [server_event(kind, **times, item_id=found.item_id), *self._committed(found.item_id, audio)]
        if self.configuration.kind == "realtime" and (isinstance(found, IdleTimeout) or self._answers_turns):
            events += self._respond_to_turn()
        return events

    @property
    def _answers_turns(self) -> bool:
        return self._turn_settings is not None and self._turn_settings.answers

    def _interrupt(self) -> list[ServerEvent]:
        active = self._responses.active
        if active is None or self._turn_settings is None or not self._turn_settings.interrupts:
            return []
        self._response_is_pending = False
        return self._responses.cancel(active, "turn_detected")

    def _respond_to_turn(self) -> list[ServerEvent]:
        """Start a response to what turn detection has found, once the one in flight has ended."""
        self._response_is_pending = self._responses.active is not None
        return [] if self._response_is_pending else self._start(ResponseCreateParams())

    def _ended(self, response: Response) -> list[ServerEvent]:
        self._input_buffer.responded(self._response_began_ms + response.audio_ms)
        return self._respond_to_turn() if self._response_is_pending and self._answers_turns else []

    def _clear(self, _event: ClientEventBase) -> list[ServerEvent]:
        self._input_buffer.clear()
        return [server_event("input_audio_buffer.cleared")]

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
        events = self._items.create(create, self._audio_format)
        if create.item.type == "mcp_approval_response" and self._responses.active is None:
            # The model waits for nothing else, and goes on.
            events += [] if asks_approval(self.conversation.items) else self._start(ResponseCreateParams())
        return events

    def _respond(self, create: ResponseCreate) -> list[ServerEvent]:
        return self._start(create.response or ResponseCreateParams())

    def _start(self, params: ResponseCreateParams) -> list[ServerEvent]:
        in_conversation = is_in_conversation(params)
        if in_conversation and self._responses.active:
            message = (
                f"Conversation already has an active response in progress: {self._responses.active.id}. "
                "Wait until the response is finished before creating a new one."
            )
            raise ApiError(message, code="conversation_already_has_active_response")
        request = resolve_request(
            params,
            configuration=self.configuration,
            conversation=self.conversation,
            last_prompt_tokens=self._last_prompt_tokens,
            has_sent_audio=self._responses.has_sent_audio,
        )
        response = self._new_response(request, self.conversation if in_conversation else None)
        if in_conversation:
            self._last_prompt_tokens = request.prompt_tokens.total
            self._response_began_ms = self._input_buffer.received_ms
            self._input_buffer.responding()
        return self._responses.start(response, in_conversation=in_conversation)

    def _new_response(self, request: ResponseRequest, conversation: ItemStore | None) -> Response:
        return Response(request, conversation)

    def _cancel(self, cancel: ResponseCancel) -> list[ServerEvent]:
        wanted, responses = cancel.response_id, self._responses
        found = responses.active if wanted is None else next((r for r in responses.in_flight if r.id == wanted), None)
        if found is None:
            raise ApiError("Cancellation failed: no active response found", code="response_cancel_not_active")
        if found is responses.active:
            # A client that cancels a response wants silence and not the next response.
            self._response_is_pending = False
        return responses.cancel(found, "client_cancelled")
