"""One session of the local endpoint, without I/O: client messages in, server events out."""

import copy
from collections.abc import Callable
from typing import Any, Final

from runner import logs
from runner.local.brain import Brain
from runner.local.configuration import Configuration, SessionKind
from runner.local.conversation import Conversation, Entry, admit, audio_bytes
from runner.local.identifiers import new_id
from runner.local.intake import event_id_of, read_document, read_event
from runner.local.ordering import check_conversation, order_for
from runner.local.refusal import Refusal
from runner.local.response import Event, Order, Response, event
from runner.local.tone import BYTES_PER_MS
from runner.protocol.client_events import (
    ClientEventBase,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
    InputAudioBufferAppend,
    ResponseCancel,
    ResponseCreate,
    ResponseCreateParams,
    SessionUpdate,
)

_MIN_COMMIT_MS: Final = 100
_TOKEN_LIMIT: Final = 1_000_000
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
    """The state of one session and the rules for what may happen in it.

    Args:
        brain: What answers.
        kind: A conversation or a transcription.
        model: The model that the client asked for; it is repeated, nothing more.
        expires_at: When the session ends, in Unix seconds; the caller watches the clock.
    """

    def __init__(self, brain: Brain, *, kind: SessionKind, model: str, expires_at: int) -> None:
        self.id = new_id("sess")
        self.configuration = Configuration(kind, model=model, session_id=self.id, expires_at=expires_at)
        self.conversation = Conversation()
        self._brain = brain
        self._heard_bytes = 0
        self._in_flight: list[Response] = []
        self._speaking: Response | None = None
        self._spoke = False
        self._warm_tokens = 0
        self._spent_tokens = 0
        self._handlers: dict[str, Callable[[Any], list[Event]]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "output_audio_buffer.clear": self._clear_output,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve,
            "conversation.item.truncate": self._truncate,
            "conversation.item.delete": self._delete,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    @property
    def busy(self) -> bool:
        """Whether `advance` has something to say."""
        return bool(self._in_flight)

    def open(self) -> list[Event]:
        """The first event of the session."""
        return [event("session.created", session=self.configuration.view())]

    def receive(self, message: str | bytes) -> list[Event]:
        """The answers to a client's message; what is wrong with it is answered by an `error` event."""
        event_id: str | None = None
        try:
            document = read_document(message)
            event_id = event_id_of(document)
            client_event = read_event(document)
            return self._carry_out(str(document["type"]), client_event)
        except Refusal as refusal:
            logs.logger().info("client_event_refused", session_id=self.id, code=refusal.code, param=refusal.param)
            return [event("error", error=refusal.body(event_id))]

    def _carry_out(self, name: str, client_event: ClientEventBase) -> list[Event]:
        if self.configuration.kind == "transcription" and name in _ONLY_IN_CONVERSATIONS:
            message = f"'{name}' is not supported in a transcription session."
            raise Refusal(message, code="invalid_value", param="type")
        if name.startswith(("conversation.", "response.")):
            for response in self._in_flight:
                response.show_text()
        return self._handlers[name](client_event)

    def advance(self) -> list[Event]:
        """The next piece of each response in flight."""
        events: list[Event] = []
        for response in list(self._in_flight):
            events += self._after(response, response.advance())
        return events

    def expire(self, reason: str) -> list[Event]:
        """The last event of a session whose time is over."""
        body = {"type": "invalid_request_error", "code": "session_expired", "message": reason, "param": None}
        return [event("error", error={**body, "event_id": None})]

    def _after(self, response: Response, events: list[Event]) -> list[Event]:
        self._spoke = self._spoke or response.spoke
        if not response.done:
            return events
        self._in_flight.remove(response)
        self._speaking = None if self._speaking is response else self._speaking
        self._spent_tokens += response.usage()["total_tokens"]
        remaining = max(0, _TOKEN_LIMIT - self._spent_tokens)
        limits = [
            {"name": "requests", "limit": 10_000, "remaining": 9_999, "reset_seconds": 0.006},
            {"name": "tokens", "limit": _TOKEN_LIMIT, "remaining": remaining, "reset_seconds": 0.06},
        ]
        return [*events, event("rate_limits.updated", rate_limits=limits)]

    def _update(self, update: SessionUpdate) -> list[Event]:
        self.configuration.update(update.to_wire()["session"], spoke=self._spoke)
        return [event("session.updated", session=self.configuration.view())]

    @property
    def _audio_type(self) -> str:
        return str(self.configuration.hearing["format"]["type"])

    def _append(self, append: InputAudioBufferAppend) -> list[Event]:
        self._heard_bytes += audio_bytes(append.audio, "audio")
        return []

    def _clear(self, _event: ClientEventBase) -> list[Event]:
        self._heard_bytes = 0
        return [event("input_audio_buffer.cleared")]

    def _clear_output(self, _event: ClientEventBase) -> list[Event]:
        message = "'output_audio_buffer.clear' is supported over WebRTC and SIP only."
        raise Refusal(message, code="invalid_value", param="type")

    def _commit(self, _event: ClientEventBase) -> list[Event]:
        heard_ms = self._heard_bytes / BYTES_PER_MS[self._audio_type]
        if heard_ms < _MIN_COMMIT_MS:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{_MIN_COMMIT_MS}ms of audio, but buffer only has {heard_ms:.2f}ms of audio."
            )
            raise Refusal(message, code="input_audio_buffer_commit_empty")
        self._heard_bytes = 0
        content = [{"type": "input_audio"}]
        item = {"type": "message", "role": "user", "id": new_id("item"), "object": "realtime.item"}
        entry = Entry({**item, "status": "completed", "content": content}, int(heard_ms))
        previous = self.conversation.insert(entry)
        events = [event("input_audio_buffer.committed", previous_item_id=previous, item_id=entry.id)]
        events += self._added(entry, previous)
        if self.configuration.hearing["transcription"]:
            error = {
                "type": "server_error",
                "code": "transcription_unavailable",
                "message": "The local endpoint has no speech model installed, so it cannot transcribe audio.",
            }
            kind = "conversation.item.input_audio_transcription.failed"
            events.append(event(kind, item_id=entry.id, content_index=0, error=error))
        return events

    def _added(self, entry: Entry, previous: str | None) -> list[Event]:
        kinds = ("conversation.item.added", "conversation.item.done")
        return [event(kind, previous_item_id=previous, item=entry.item) for kind in kinds]

    def _create_item(self, create: ConversationItemCreate) -> list[Event]:
        item = create.item.model_dump(mode="json", exclude_unset=True)
        entry = admit(item, audio_type=self._audio_type)
        if item["type"] == "function_call_output":
            calls = {each.item.get("call_id") for each in self.conversation.entries if "name" in each.item}
            if item["call_id"] not in calls:
                message = f"Tool call ID '{item['call_id']}' not found in conversation."
                raise Refusal(message, code="invalid_tool_call_id", param="item.call_id")
        return self._added(entry, self.conversation.insert(entry, after=create.previous_item_id))

    def _retrieve(self, retrieve: ConversationItemRetrieve) -> list[Event]:
        entry = self.conversation.find(retrieve.item_id, doing="retrieving")
        return [event("conversation.item.retrieved", item=copy.deepcopy(entry.item))]

    def _delete(self, delete: ConversationItemDelete) -> list[Event]:
        entry = self.conversation.find(delete.item_id, doing="deleting")
        self.conversation.entries.remove(entry)
        return [event("conversation.item.deleted", item_id=entry.id)]

    def _truncate(self, cut: ConversationItemTruncate) -> list[Event]:
        fields = {"content_index": cut.content_index, "audio_end_ms": cut.audio_end_ms}
        self.conversation.truncate(cut.item_id, **fields)
        return [event("conversation.item.truncated", item_id=cut.item_id, **fields)]

    def _respond(self, create: ResponseCreate) -> list[Event]:
        params = create.response or ResponseCreateParams()
        in_conversation = check_conversation(params)
        if in_conversation and self._speaking:
            message = (
                f"Conversation already has an active response in progress: {self._speaking.id}. "
                "Wait until the response is finished before creating a new one."
            )
            raise Refusal(message, code="conversation_already_has_active_response")
        order = order_for(
            params,
            configuration=self.configuration,
            conversation=self.conversation,
            brain=self._brain,
            warm_tokens=self._warm_tokens,
            spoke=self._spoke,
        )
        response = self._new_response(order, self.conversation if in_conversation else None)
        if in_conversation:
            self._speaking = response
            self._warm_tokens = order.prompt.total
        self._in_flight.append(response)
        return response.begin()

    def _new_response(self, order: Order, conversation: Conversation | None) -> Response:
        return Response(order, conversation)

    def _cancel(self, cancel: ResponseCancel) -> list[Event]:
        wanted = cancel.response_id
        found = self._speaking if wanted is None else next((r for r in self._in_flight if r.id == wanted), None)
        if found is None:
            raise Refusal("Cancellation failed: no active response found", code="response_cancel_not_active")
        return self._after(found, found.cancel())
