"""What is counted of all sessions as it happens, by the names that dashboards know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from prometheus_client import Counter, Histogram

from runner.operations.metric_totals import LABELS
from runner.protocol.effects import ResponseStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import CollectorRegistry

REASONS: Final = ("unreachable", "busy", "protocol", "access", "refused", "other")
"""Why connections fail, as the tree of errors has it."""

_ANSWER_BUCKETS_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
_TOOL_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_CONNECT_BUCKETS_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 15, 30)


class Instruments:
    """The counters and histograms of a process; each has the labels of `LABELS`, and some one more.

    Args:
        registry: Where they are registered.

    Attributes:
        connections: Counts connections that were opened.
        connections_lost: Counts those that were lost, by `reason`.
        attempts_failed: Counts attempts to connect, by `reason`.
        rollovers: Counts connections that were replaced before they expired.
        connect_s: Times from the attempt to the configured session.
        turns: Counts turns, by `role`.
        responses: Counts responses, by `status`.
        first_audio_s: Times from the end of speech to the first audio of the answer.
        first_text_s: Times from the end of speech to its first text.
        interruptions: Counts answers that the user has spoken over.
        tool_calls: Counts calls of functions that have their output, by `tool` and `outcome`.
        tool_call_s: Times of calls that rt-run has run, by `tool`.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"rt_run_{name}", text, [*LABELS, *labels], registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"rt_run_{name}_seconds", text, [*LABELS, *labels], buckets=buckets, registry=registry)

        self.connections = counter("connections", "Connections that were opened and configured.")
        self.connections_lost = counter("connections_lost", "Connections that ended unasked.", "reason")
        self.attempts_failed = counter("connection_attempts_failed", "Attempts to connect that failed.", "reason")
        self.rollovers = counter("rollovers", "Connections that were replaced before they expired.")
        self.connect_s = histogram("connect", "From the attempt to the configured session.", _CONNECT_BUCKETS_S)
        self.turns = counter("turns", "Turns that ended.", "role")
        self.responses = counter("responses", "Responses that ended.", "status")
        speech = "From the end of speech to the first {} of the answer."
        self.first_audio_s = histogram("speech_to_first_audio", speech.format("audio"), _ANSWER_BUCKETS_S)
        self.first_text_s = histogram("speech_to_first_text", speech.format("text"), _ANSWER_BUCKETS_S)
        self.tool_calls = counter("tool_calls", "Calls of functions that have their output.", "tool", "outcome")
        self.tool_call_s = histogram("tool_call", "How long calls of functions took.", _TOOL_BUCKETS_S, "tool")
        self.interruptions = counter("interruptions", "Answers that the user has spoken over.")

    def begin(self, profile: str, model: str, tools: Iterable[str]) -> None:
        """Show every series from the beginning, so that the first of its events is seen as an increase."""
        for plain in (self.connections, self.rollovers, self.interruptions):
            plain.labels(profile, model)
        for histogram in (self.connect_s, self.first_audio_s, self.first_text_s):
            histogram.labels(profile, model)
        for reason in REASONS:
            self.connections_lost.labels(profile, model, reason)
            self.attempts_failed.labels(profile, model, reason)
        for role in ("user", "assistant"):
            self.turns.labels(profile, model, role)
        for status in get_args(ResponseStatus):
            self.responses.labels(profile, model, status)
        for tool in tools:
            self.tool_calls.labels(profile, model, tool, "ok")
            self.tool_call_s.labels(profile, model, tool)
