"""The spans of one session's calls of functions, each below that of the response that calls."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from time import time
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from runner.redaction import excerpt
from runner.session import genai_names as names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import Span, Tracer

    from runner.protocol.effects import FunctionAnswered, FunctionCalled

LONGEST_CONTENT = 20_000
"""So much of a text is in a span, in letters."""
_MOST_CALLS = 1024


@dataclass(slots=True)
class _OpenCall:
    called: FunctionCalled
    below: Context
    """The span of the response that calls."""
    called_s: float
    span: Span | None = None
    """Its own, where that begins with the call; others are made once it is over."""


class CallSpans:
    """Makes the spans of calls.

    Args:
        tracer: Makes spans.
        attributes: All attributes of a span, by its operation and what is known of it alone.
        has_content: Whether they hold arguments and results.
    """

    def __init__(
        self, tracer: Tracer, attributes: Callable[[str, Mapping[str, str]], dict[str, Any]], *, has_content: bool
    ) -> None:
        self._tracer = tracer
        self._attributes = attributes
        self._has_content = has_content
        self._calls: dict[str, _OpenCall] = {}
        """By their ids, those without an output."""

    def note(self, called: FunctionCalled, response: Span, at_s: float) -> None:
        """A response has called a function."""
        below = set_span_in_context(response, Context())
        keep_newest(self._calls, called.call_id, _OpenCall(called, below, at_s), most=_MOST_CALLS)

    def begin(self, call_id: str) -> Context | None:
        """Begin the span of a call that runs from now on; returns the context of what it does."""
        call = self._calls.get(call_id)
        if call is None:
            return None
        call.span = self._span_of(call, since_s=time())
        return set_span_in_context(call.span, call.below)

    def end(self, answered: FunctionAnswered, at_s: float) -> None:
        """The output of a function stands in the conversation."""
        call = self._calls.pop(answered.call_id, None)
        if call is None:
            return
        until_s = answered.ended_at_s or at_s
        since_s = max(call.called_s, until_s - answered.duration_s) if answered.ended_at_s else call.called_s
        span = call.span or self._span_of(call, since_s=since_s)
        if self._has_content:
            span.set_attribute(names.TOOL_RESULT, excerpt(answered.output, LONGEST_CONTENT))
        if answered.outcome not in {"", "ok"}:
            span.set_attribute(names.ERROR_TYPE, answered.outcome)
            span.set_status(Status(StatusCode.ERROR))
        span.end(nanoseconds(until_s))

    def end_all(self, at_s: float) -> None:
        """End the spans of calls that run while the session is over."""
        for call in self._calls.values():
            if call.span:
                call.span.end(nanoseconds(at_s))
        self._calls.clear()

    def _span_of(self, call: _OpenCall, *, since_s: float) -> Span:
        called = call.called
        facts = {names.TOOL_NAME: called.name, names.TOOL_TYPE: "function", names.TOOL_CALL_ID: called.call_id}
        if self._has_content:
            facts[names.TOOL_ARGUMENTS] = excerpt(called.arguments, LONGEST_CONTENT)
        attributes = self._attributes(names.TOOL_OPERATION, facts)
        title = f"{names.TOOL_OPERATION} {called.name}"
        return self._tracer.start_span(
            title, context=call.below, attributes=attributes, start_time=nanoseconds(since_s)
        )


def keep_newest(known: dict[str, Any], key: str, value: Any, *, most: int) -> None:
    """Keep a value as the newest, and forget the oldest ones."""
    known.pop(key, None)
    known[key] = value
    for oldest in [*islice(known, max(0, len(known) - most))]:
        del known[oldest]


def nanoseconds(at_s: float) -> int:
    """A moment as spans have it."""
    return int(at_s * 1e9)
