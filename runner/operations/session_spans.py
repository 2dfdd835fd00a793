"""The spans of one session: one for each response, and below it one for each call of a function.

All responses of a turn are one trace: what continues it once its functions are answered, a retry and a word that is
said meanwhile stand below its first response.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, format_span_id, format_trace_id, set_span_in_context

from runner.connect.address import address_of, model_name
from runner.errors import RunnerError
from runner.operations import genai_names as names
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
from runner.session.carriage import Carried

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span, Tracer

    from runner.operations.observed import ObservedRun
    from runner.protocol.effects import Effect
    from runner.session.carriage import Place
    from runner.session.update import Update

_LONGEST_CONTENT = 20_000
_MOST_TURNS = 64
_MOST_CALLS = 1024
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
    """Makes the spans of one session, as a reader of it.

    Args:
        run: The run, which has not begun.
        tracer: Makes spans.
        has_content: Whether they hold what was said.

    Attributes:
        ids: The `trace_id` and `span_id` of what the session is doing, nothing between two turns.
    """

    def __init__(self, run: ObservedRun, tracer: Tracer, *, has_content: bool) -> None:
        self.ids: Mapping[str, str] = {}
        self._run = run
        self._tracer = tracer
        self._has_content = has_content
        self._open: dict[str, _OpenResponse] = {}
        self._turns: dict[str, _TracedTurn] = {}
        """By their requests, those that go on or may."""
        self._calls: dict[str, tuple[Context, float]] = {}
        """By the ids of calls without an output: the span of their response, and when they came, in Unix seconds."""
        self._session_id = self._conversation_id = ""
        self._spoken_s = 0.0
        """When the user has finished speaking, in Unix seconds; 0 once the answer has begun."""
        self._heard: list[str] = []
        """What the user has said since the last answer."""
        run.readers.append(self._take)
        run.whereabouts.followers.append(self._follow)

    def _follow(self, place: Place) -> None:
        match place:
            case Carried(link=link):
                self._know(link.state.session_id)
            case _:
                pass

    def _know(self, session_id: str) -> None:
        self._session_id = session_id
        self._conversation_id = self._conversation_id or session_id

    def _take(self, update: Update) -> None:
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
            case FunctionCalled(response_id=response_id, call_id=call_id) if response_id in self._open:
                below = set_span_in_context(self._open[response_id].span, Context())
                _keep(self._calls, call_id, (below, update.at_s), most=_MOST_CALLS)
            case FunctionAnswered(call_id=call_id) if call_id in self._calls:
                self._add_call(effect, *self._calls.pop(call_id), until_s=effect.ended_at_s or update.at_s)
            case SessionEnded():
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
            " ".join(filter(None, (names.RESPONSE_OPERATION, model_name(self._run.profile)))),
            context=turn.root if turn else Context(),
            kind=SpanKind.CLIENT,
            attributes=self._attributes(names.RESPONSE_OPERATION, {names.RESPONSE_ID: started.response_id}),
            start_time=_ns(since_s),
        )
        self._open[started.response_id] = _OpenResponse(span, request_id, since_s)
        if request_id.startswith(FILLER):
            return
        _keep(self._turns, request_id, turn or _TracedTurn(set_span_in_context(span, Context())), most=_MOST_TURNS)
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
        span.end(_ns(update.at_s))
        if turn := self._turns.get(request_id):
            turn.until_s = update.at_s

    def _messages(self, response: _OpenResponse, status: str) -> dict[str, str]:
        heard, self._heard = self._heard, []
        said = "".join(response.text)
        outgoing = [{**_message("assistant", said), "finish_reason": status}] if said else []
        messages = {names.INPUT_MESSAGES: [_message("user", text) for text in heard], names.OUTPUT_MESSAGES: outgoing}
        return {name: dumps(value) for name, value in messages.items() if value}

    def _add_call(self, answered: FunctionAnswered, below: Context, called_s: float, *, until_s: float) -> None:
        since_s = max(called_s, until_s - answered.duration_s) if answered.ended_at_s else called_s
        facts = {names.TOOL_NAME: answered.name, names.TOOL_TYPE: "function", names.TOOL_CALL_ID: answered.call_id}
        if self._has_content:
            facts[names.TOOL_ARGUMENTS] = excerpt(answered.arguments, _LONGEST_CONTENT)
            facts[names.TOOL_RESULT] = excerpt(answered.output, _LONGEST_CONTENT)
        attributes = self._attributes(names.TOOL_OPERATION, facts)
        title = f"{names.TOOL_OPERATION} {answered.name}"
        span = self._tracer.start_span(title, context=below, attributes=attributes, start_time=_ns(since_s))
        if answered.outcome not in {"", "ok"}:
            span.set_attribute(names.ERROR_TYPE, answered.outcome)
            span.set_status(Status(StatusCode.ERROR))
        span.end(_ns(until_s))

    def _attributes(self, operation: str, facts: Mapping[str, str]) -> dict[str, Any]:
        """These facts, and what every span says of its session."""
        profile = self._run.profile
        attributes: dict[str, Any] = {
            names.OPERATION: operation,
            names.PROVIDER: names.provider_of(profile.endpoint.kind),
            names.REQUEST_MODEL: model_name(profile),
            names.REALTIME_SESSION_ID: self._session_id,
            names.CONVERSATION_ID: self._conversation_id,
            names.PROFILE: self._run.context["profile"],
            names.RUN_ID: self._run.context["run_id"],
            **facts,
        }
        if profile.endpoint.kind != "local":
            url = urlsplit(address_of(profile, {}).url)
            attributes[names.SERVER_ADDRESS] = url.hostname
            attributes[names.SERVER_PORT] = url.port or (443 if url.scheme in {"https", "wss"} else 80)
        return {name: value for name, value in attributes.items() if value}


def _keep(known: dict[str, Any], key: str, value: Any, *, most: int) -> None:
    """Keep a value as the newest, and forget the oldest ones."""
    known.pop(key, None)
    known[key] = value
    for oldest in [*islice(known, max(0, len(known) - most))]:
        del known[oldest]


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": excerpt(text, _LONGEST_CONTENT)}]}


def _ns(at_s: float) -> int:
    return int(at_s * 1e9)
