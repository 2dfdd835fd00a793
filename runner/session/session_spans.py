"""The spans of one session: one for each response, and below it one for each call of a function.

All responses of a turn are one trace: what continues it once its functions are answered, a retry and a word that is
said meanwhile stand below its first response.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, format_span_id, format_trace_id, set_span_in_context

from runner.connect.address import address_of, model_name
from runner.errors import RunnerError
from runner.protocol.effects import (
    AudioDelta,
    FunctionAnswered,
    FunctionCalled,
    Opened,
    ResponseEnded,
    ResponseRetried,
    ResponseStarted,
    SessionEnded,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    TurnEnded,
)
from runner.protocol.json_text import dumps
from runner.protocol.request import FILLER, GO_ON
from runner.protocol.side_fields import SideFields
from runner.protocol.usage import Usage
from runner.redaction import excerpt
from runner.session import genai_names as names
from runner.session.call_spans import LONGEST_CONTENT, CallSpans, keep_newest, nanoseconds
from runner.session.carriage import Carried

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import Span, Tracer

    from runner.protocol.effects import Effect
    from runner.session.carriage import Place
    from runner.session.update import Update
    from runner.settings.profile import Profile

_MOST_TURNS = 64
_MOST_HEARD = 100
_BY_TURN_DETECTION = ""
"""The request of a turn that the client has not asked for."""


@dataclass(slots=True)
class _OpenResponse:
    span: Span
    request_id: str
    since_s: float
    first_s: float = 0.0
    text: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _TracedTurn:
    """What the next response of a turn goes by."""

    root: Context
    until_s: float = 0.0


class SessionSpans:
    """Makes the spans of one session.

    Args:
        profile: What the session is opened from.
        tracer: Makes spans.
        facts: The attributes of all of them, besides those of the conventions.
        has_content: Whether they hold what was said.
        parent_of: The context in which the trace of a turn begins, by the turn's request; without it there is none.

    Attributes:
        ids: The `trace_id` and `span_id` of what the session is doing, nothing between two turns.
        calls: The spans of its calls.
    """

    def __init__(
        self,
        profile: Profile,
        tracer: Tracer,
        *,
        facts: Mapping[str, str],
        has_content: bool,
        parent_of: Callable[[str], Context] | None = None,
    ) -> None:
        self.ids: Mapping[str, str] = {}
        self._profile = profile
        self._tracer = tracer
        self._facts = facts
        self._has_content = has_content
        self._parent_of = parent_of or (lambda _request_id: Context())
        self._open: dict[str, _OpenResponse] = {}
        self._turns: dict[str, _TracedTurn] = {}
        """By their requests, those that go on or may."""
        self.calls = CallSpans(tracer, self._attributes, has_content=has_content)
        self._session_id = self._conversation_id = ""
        self._spoken_s = 0.0
        """When the user has finished speaking, in Unix seconds; 0 once the answer has begun."""
        self._heard: list[str] = []
        """What the user has said since the last answer."""

    def follow(self, place: Place) -> None:
        """Take in where the session is."""
        match place:
            case Carried(link=link):
                self._profile = link.provider.profile if link.provider else self._profile
                self._know(link.state.session_id)
            case _:
                pass

    def _know(self, session_id: str) -> None:
        self._session_id = session_id
        self._conversation_id = self._conversation_id or session_id

    def take(self, update: Update) -> None:
        """Follow the session: a reader, which never waits."""
        for effect in update.effects:
            match effect:
                case TextDelta() | AudioDelta():
                    self._take_piece(effect, update.at_s)
                case ResponseStarted():
                    self._begin(effect, update.at_s)
                case ResponseEnded(response_id=response_id, request_id=request_id, status=status, is_step=is_step):
                    self._end(response_id, request_id, update, status=status, error=effect.error or effect.loss)
                    if not is_step:
                        self._turns.pop(request_id, None)
                        self.ids = {}
                case ResponseRetried(response_id=response_id, request_id=request_id, error=error):
                    self._end(response_id, request_id, update, status="failed", error=error)
                case _:
                    self._note(effect, update)

    def _take_piece(self, piece: TextDelta | AudioDelta, at_s: float) -> None:
        if response := self._open.get(piece.response_id):
            response.first_s = response.first_s or at_s
            if self._has_content and isinstance(piece, TextDelta):
                response.text.append(piece.text)

    def _note(self, effect: Effect, update: Update) -> None:
        match effect:
            case Opened(session_id=session_id):
                self._know(session_id)
            case SpeechStarted():
                self._spoken_s = 0.0
            case SpeechStopped():
                self._spoken_s = update.at_s
            case TurnEnded(role="user", text=text) if self._has_content:
                self._heard = [*self._heard[1 - _MOST_HEARD :], text]
            case FunctionCalled(response_id=response_id) if response_id in self._open:
                self.calls.note(effect, self._open[response_id].span, update.at_s)
            case FunctionAnswered():
                self.calls.end(effect, update.at_s)
            case SessionEnded():
                self.calls.end_all(update.at_s)
                for response_id, response in list(self._open.items()):
                    self._end(response_id, response.request_id, update, status="cancelled", error=None)
                self.ids = {}
            case _:
                pass

    def _begin(self, started: ResponseStarted, at_s: float) -> None:
        request_id = started.request_id
        asked_s = started.requested_at_s or (request_id == _BY_TURN_DETECTION and self._spoken_s) or at_s
        turn = self._turn_of(request_id)
        since_s = min(at_s, max(asked_s, turn.until_s if turn else 0.0))
        span = self._tracer.start_span(
            " ".join(filter(None, (names.RESPONSE_OPERATION, model_name(self._profile)))),
            context=turn.root if turn else self._parent_of(request_id),
            kind=SpanKind.CLIENT,
            attributes=self._attributes(names.RESPONSE_OPERATION, {names.RESPONSE_ID: started.response_id}),
            start_time=nanoseconds(since_s),
        )
        self._open[started.response_id] = _OpenResponse(span, request_id, since_s)
        if request_id.startswith(FILLER):
            return
        keep_newest(
            self._turns, request_id, turn or _TracedTurn(set_span_in_context(span, Context())), most=_MOST_TURNS
        )
        self._spoken_s = 0.0
        context = span.get_span_context()
        self.ids = {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}

    def _turn_of(self, request_id: str) -> _TracedTurn | None:
        """The turn that a request belongs to, None where it begins one."""
        if request_id == _BY_TURN_DETECTION:
            return None
        if request_id.startswith(FILLER):
            return next(reversed(self._turns.values()), None)
        if request_id.startswith(GO_ON) and request_id not in self._turns:
            return self._turns.pop(_BY_TURN_DETECTION, None)
        return self._turns.get(request_id)

    def _end(
        self, response_id: str, request_id: str, update: Update, *, status: str, error: RunnerError | None
    ) -> None:
        """End the span of a response; a request that was refused has one, too, which begins with its refusal."""
        if response_id not in self._open:
            self._begin(ResponseStarted(response_id, request_id), update.at_s)
        response = self._open.pop(response_id)
        span, usage, side = response.span, Usage(), SideFields()
        usage.add(side.table(side.table(update.event or {}, "response"), "usage"), side)
        span.set_attribute(names.FINISH_REASONS, [status])
        span.set_attributes({name: tokens for name, part in names.USAGE if (tokens := getattr(usage, part))})
        if response.first_s:
            span.set_attribute(names.FIRST_CHUNK_S, round(response.first_s - response.since_s, 6))
        if error:
            span.set_attribute(names.ERROR_TYPE, error.code or type(error).__name__)
            span.set_status(Status(StatusCode.ERROR, error.message))
        if self._has_content and not request_id.startswith(FILLER):
            span.set_attributes(self._messages(response, status))
        span.end(nanoseconds(update.at_s))
        if turn := self._turns.get(request_id):
            turn.until_s = update.at_s

    def _messages(self, response: _OpenResponse, status: str) -> dict[str, str]:
        heard, self._heard = self._heard, []
        said = "".join(response.text)
        outgoing = [{**_message("assistant", said), "finish_reason": status}] if said else []
        messages = {names.INPUT_MESSAGES: [_message("user", text) for text in heard], names.OUTPUT_MESSAGES: outgoing}
        return {name: dumps(value) for name, value in messages.items() if value}

    def _attributes(self, operation: str, facts: Mapping[str, str]) -> dict[str, Any]:
        """These facts, and what every span says of its session."""
        profile = self._profile
        attributes: dict[str, Any] = {
            names.OPERATION: operation,
            names.PROVIDER: names.provider_of(profile.endpoint.kind),
            names.REQUEST_MODEL: model_name(profile),
            names.REALTIME_SESSION_ID: self._session_id,
            names.CONVERSATION_ID: self._conversation_id,
            **self._facts,
            **facts,
        }
        if profile.endpoint.kind != "local":
            url = urlsplit(address_of(profile, {}).url)
            attributes[names.SERVER_ADDRESS] = url.hostname
            attributes[names.SERVER_PORT] = url.port or (443 if url.scheme in {"https", "wss"} else 80)
        return {name: value for name, value in attributes.items() if value}


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": excerpt(text, LONGEST_CONTENT)}]}
