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
from runner.protocol.promises import Promises
from runner.protocol.routes import KNOWN_TYPES, ROUTES, Route
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
        self.promises = Promises()
        """What the endpoint still owes."""
        self._sent: OrderedDict[str, str] = OrderedDict()
        self._sent_count = 0
        self._unknown: set[str] = set()
        self._malformed: set[tuple[str, str]] = set()

    @property
    def busy(self) -> bool:
        """Whether a response of the default conversation is asked for or in flight."""
        return self.promises.busy

    @property
    def requested_by(self) -> str:
        """The id of our `response.create` for the conversation that was not answered yet, or nothing."""
        return self.promises.requested_by

    @property
    def pending(self) -> bool:
        """Whether anything that was asked for or promised is still to come: a response, a transcription."""
        return self.promises.pending

    @property
    def hearing(self) -> JsonObject:
        """The effective settings of incoming audio, as far as they can be read."""
        audio = self.effective.get("audio")
        heard = audio.get("input") if isinstance(audio, dict) else None
        return heard if isinstance(heard, dict) else {}

    @property
    def detects_turns(self) -> bool:
        """Whether the endpoint finds out by itself when somebody has finished speaking."""
        return isinstance(self.hearing.get("turn_detection"), dict)

    @property
    def answers_turns(self) -> bool:
        """Whether the endpoint makes a response to every turn that it detects; our own commit makes none."""
        detection = self.hearing.get("turn_detection")
        conversing = self.effective.get("type") != "transcription"
        return conversing and isinstance(detection, dict) and detection.get("create_response") is not False

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
        aside = out_of_band(event)
        if kind == "response.create" and not aside and self.busy:
            msg = "`response.create` cannot be sent while a response is in flight"
            raise IllegalEvent(msg, hint="wait for its end, or cancel it first")
        event = self.identified(event)
        self._sent[event["event_id"]] = kind
        if len(self._sent) > _REMEMBERED_EVENTS:
            self._sent.popitem(last=False)
        if kind == "response.create":
            self.promises.requests.append((event["event_id"], "aside" if aside else "response"))
        elif kind == "input_audio_buffer.commit":
            self.promises.requests.append((event["event_id"], "commit"))
        elif kind == "session.update" and self.phase == "connecting":
            self.phase = "configuring"
        return event

    def receive(self, event: JsonObject) -> list[Effect]:
        """Take in one server event and say what it means; never raises, whatever the event holds."""
        kind = event.get("type")
        if type(kind) is not str:
            return self.malformed("", "`type` is not a string")
        route = _ROUTES.get(kind)
        if route is None:
            return self._unrouted(kind)
        try:
            return route(self, event)
        except BadField as bad:
            effects = self.malformed(kind, str(bad))
            if kind == "response.done" and (self.busy or self.promises.asides):
                effects.append(self._abandon(event, f"the response ended in an event that cannot be read: {bad}"))
            elif kind == "error" and self.promises.refused(*self._cause(event.get("error"))):
                problem = ProtocolError(f"the endpoint answered with an error that cannot be read: {bad}")
                effects.append(ResponseEnded("", "refused", error=problem))
            return effects

    def _unrouted(self, kind: str) -> list[Effect]:
        kind = kind[:_LONGEST_TYPE]
        if kind in KNOWN_TYPES or kind in self._unknown or len(self._unknown) >= _REMEMBERED_TYPES:
            return []
        self._unknown.add(kind)
        return [EventUnknown(severity.plain(kind))]

    def malformed(self, kind: str, problem: str) -> list[Effect]:
        """Report what cannot be read, each problem of a type once; an empty type stands for no event at all."""
        if (kind, problem) in self._malformed or len(self._malformed) >= _REMEMBERED_TYPES:
            return []
        self._malformed.add((kind, problem))
        return [EventMalformed(kind, problem)]

    def close(self) -> list[Effect]:
        """End the session, and report as incomplete what somebody was still saying."""
        self.phase = "closed"
        self.promises.clear()
        effects: list[Effect] = []
        for item in self.conversation.items:
            if not item.told and item.role == "assistant" and item.text:
                item.told, item.status = True, "incomplete"
                effects.append(TurnEnded(item.role, item.text, item.id, "incomplete"))
        return effects

    def _abandon(self, event: JsonObject, problem: str) -> ResponseEnded:
        response = event.get("response")
        response_id = response.get("id") if isinstance(response, dict) else None
        response_id = response_id if isinstance(response_id, str) else ""
        self.promises.abandon(response_id)
        return ResponseEnded(response_id, "failed", error=ProtocolError(problem))

    def opened(self, event: JsonObject) -> list[Effect]:
        """The endpoint has greeted us."""
        session = table(event, "session")
        self.session_id, self.expires_at = optional_text(session, "id"), count(session, "expires_at")
        self.effective, self.greeted = session, True
        return [Opened(self.session_id, self.expires_at)]

    def configured(self, event: JsonObject) -> list[Effect]:
        """The endpoint has confirmed a configuration."""
        self.effective = table(event, "session")
        self.expires_at = count(self.effective, "expires_at") or self.expires_at
        if not self.detects_turns:
            self.promises.drop_turn()
        if self.phase != "closed":
            self.phase = "ready"
        return [Configured(self.effective)]

    def reported(self, event: JsonObject) -> list[Effect]:
        """The endpoint reports an error."""
        details = table(event, "error")
        message, code, kind = text(details, "message"), optional_text(details, "code"), optional_text(details, "type")
        cause, cause_type = self._cause(details)
        if param := optional_text(details, "param"):
            message = f"{message} (at `{param}`)"
        error = severity.error_for_code(code, message, kind=kind)
        effects: list[Effect] = [ErrorReported(severity.severity(code, kind=kind), error, cause_type)]
        if self.promises.refused(cause, cause_type):
            effects.append(ResponseEnded("", "refused", code, error))
        return effects

    def _cause(self, details: object) -> tuple[str, str]:
        """The id and the type of the client event that an error names, empty where it names none."""
        cause = details.get("event_id") if isinstance(details, dict) else None
        return (cause, self._sent.get(cause, "")) if isinstance(cause, str) else ("", "")


def out_of_band(event: JsonObject) -> bool:
    """Whether this `response.create` asks for a response outside the conversation, which may run beside another."""
    response = event.get("response")
    return isinstance(response, dict) and response.get("conversation") == "none"


_ROUTES: dict[str, Route] = {
    **ROUTES,
    "session.created": SessionState.opened,
    "session.updated": SessionState.configured,
    "error": SessionState.reported,
}
