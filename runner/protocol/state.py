"""A session as a state machine without I/O: `receive` returns what an event means, `send` what goes on the wire.

The machine holds the conversation, the responses in flight and the usage. It never raises for what the endpoint
sends; a caller of `send` that asks for what the state forbids gets `IllegalEvent`.
"""

from collections import OrderedDict
from typing import Literal

from runner.errors import IllegalEvent, ProtocolError
from runner.protocol import severity
from runner.protocol.conversation import Conversation
from runner.protocol.effects import (
    Configured,
    Effect,
    ErrorReported,
    EventMalformed,
    EventUnknown,
    Opened,
    ResponseEnded,
    TurnEnded,
)
from runner.protocol.fields import BadField, JsonObject, count, optional_text, table, text
from runner.protocol.routes import KNOWN_TYPES, ROUTES
from runner.protocol.usage import Usage

Phase = Literal["connecting", "configuring", "ready", "closed"]

_REMEMBERED_EVENTS = 1024
_REMEMBERED_TYPES = 256
_LONGEST_TYPE = 128


class SessionState:
    """What is known of one session on one connection."""

    def __init__(self) -> None:
        self.phase: Phase = "connecting"
        self.greeted = False
        """Whether the endpoint has sent `session.created`."""
        self.session_id = ""
        self.expires_at = 0
        self.effective: JsonObject = {}
        self.conversation = Conversation()
        self.usage = Usage()
        self.rate_limits: list[JsonObject] = []
        self.active: set[str] = set()
        """The responses in flight in the default conversation."""
        self.requested_by = ""
        """The id of our `response.create` that was not answered yet, or nothing."""
        self.transcribing: set[str] = set()
        """The items whose audio is still being written down."""
        self.commits = 0
        """How many of our `input_audio_buffer.commit` were not answered yet."""
        self._sent: OrderedDict[str, str] = OrderedDict()
        self._sent_count = 0
        self._unknown: set[str] = set()

    @property
    def busy(self) -> bool:
        """Whether a response of the default conversation is asked for or in flight."""
        return bool(self.active or self.requested_by)

    @property
    def pending(self) -> bool:
        """Whether anything that was asked for is still to come: a response, a transcription."""
        return self.busy or bool(self.transcribing or self.commits)

    def identified(self, event: JsonObject) -> JsonObject:
        """The client event with an `event_id`, its own or ours, by which the endpoint names it in an error."""
        if isinstance(event.get("event_id"), str) and event["event_id"]:
            return event
        self._sent_count += 1
        return {**event, "event_id": f"event_{self._sent_count:06d}"}

    def send(self, event: JsonObject) -> JsonObject:
        """Note what a client event will change.

        Args:
            event: The client event; it is not changed.

        Returns:
            What to put on the wire: the event with an `event_id`.

        Raises:
            IllegalEvent: the state forbids it: a second response in the conversation, or anything after the end.
        """
        kind = event.get("type")
        if not isinstance(kind, str):
            msg = "a client event needs a `type`"
            raise IllegalEvent(msg)
        if self.phase == "closed":
            msg = f"`{kind}` cannot be sent: the session is closed"
            raise IllegalEvent(msg)
        in_conversation = kind == "response.create" and not out_of_band(event)
        if in_conversation and self.busy:
            msg = "`response.create` cannot be sent while a response is in flight"
            raise IllegalEvent(msg, hint="wait for its end, or cancel it first")
        event = self.identified(event)
        self._sent[event["event_id"]] = kind
        if len(self._sent) > _REMEMBERED_EVENTS:
            self._sent.popitem(last=False)
        if in_conversation:
            self.requested_by = event["event_id"]
        elif kind == "input_audio_buffer.commit":
            self.commits += 1
        elif kind == "session.update" and self.phase == "connecting":
            self.phase = "configuring"
        return event

    def receive(self, event: JsonObject) -> list[Effect]:
        """Take in one server event and say what it means; never raises, whatever the event holds."""
        kind = event.get("type")
        if not isinstance(kind, str):
            return [EventMalformed("", "`type` is not a string")]
        try:
            match kind:
                case "session.created":
                    return self._opened(event)
                case "session.updated":
                    return self._configured(event)
                case "error":
                    return self._error(event)
                case _ if (route := ROUTES.get(kind)) is not None:
                    return route(self, event)
        except BadField as bad:
            effects: list[Effect] = [EventMalformed(kind, str(bad))]
            if kind == "response.done" and self.busy:
                effects.append(self._abandon(f"the response ended in an event that cannot be read: {bad}"))
            return effects
        kind = kind[:_LONGEST_TYPE]
        if kind in KNOWN_TYPES or kind in self._unknown or len(self._unknown) >= _REMEMBERED_TYPES:
            return []
        self._unknown.add(kind)
        return [EventUnknown(severity.plain(kind))]

    def close(self) -> list[Effect]:
        """End the session, and report as incomplete what somebody was still saying."""
        self.phase = "closed"
        self.active.clear()
        self.transcribing.clear()
        self.requested_by, self.commits = "", 0
        effects: list[Effect] = []
        for item in self.conversation.items:
            if not item.told and item.role == "assistant" and item.text:
                item.told, item.status = True, "incomplete"
                effects.append(TurnEnded(item.role, item.text, item.id, "incomplete"))
        return effects

    def _abandon(self, problem: str) -> ResponseEnded:
        self.active.clear()
        self.requested_by = ""
        return ResponseEnded("", "failed", error=ProtocolError(problem))

    def _opened(self, event: JsonObject) -> list[Effect]:
        session = table(event, "session")
        self.session_id, self.expires_at = optional_text(session, "id"), count(session, "expires_at")
        self.effective, self.greeted = session, True
        return [Opened(self.session_id, self.expires_at)]

    def _configured(self, event: JsonObject) -> list[Effect]:
        self.effective = table(event, "session")
        self.expires_at = count(self.effective, "expires_at") or self.expires_at
        if self.phase != "closed":
            self.phase = "ready"
        return [Configured(self.effective)]

    def _error(self, event: JsonObject) -> list[Effect]:
        details = table(event, "error")
        message, code = text(details, "message"), optional_text(details, "code")
        cause = optional_text(details, "event_id")
        if param := optional_text(details, "param"):
            message = f"{message} (at `{param}`)"
        error = severity.error_for_code(code, message)
        effects: list[Effect] = [ErrorReported(severity.severity(code), error, self._sent.get(cause, ""))]
        if self._sent.get(cause) == "input_audio_buffer.commit":
            self.commits = max(0, self.commits - 1)
        # Some servers leave the cause out; the one request that can be waiting is then taken for it.
        if self.requested_by and (cause == self.requested_by or (not cause and not self.active)):
            self.requested_by = ""
            effects.append(ResponseEnded("", "refused", code, error))
        elif not cause and self.commits:
            self.commits -= 1
        return effects


def out_of_band(event: JsonObject) -> bool:
    """Whether this `response.create` asks for a response outside the conversation, which may run beside another."""
    response = event.get("response")
    return isinstance(response, dict) and response.get("conversation") == "none"
