"""What the sessions of a process are and have used, looked at when somebody asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from runner.connect.address import model_name
from runner.protocol.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from runner.operations.observed import ObservedFleet, ObservedRun
    from runner.session.session import Session
    from runner.settings.prices import Prices
    from runner.settings.profile import Profile

LABELS: Final = ("profile", "model")
STATES: Final = ("opening", "open", "reconnecting", "draining", "ended")

_TOKENS: Final = (
    ("input", "text", "input_text_tokens"),
    ("input", "audio", "input_audio_tokens"),
    ("input", "image", "input_image_tokens"),
    ("input", "transcription", "transcription_input_tokens"),
    ("cached", "text", "cached_text_tokens"),
    ("cached", "audio", "cached_audio_tokens"),
    ("cached", "image", "cached_image_tokens"),
    ("output", "text", "output_text_tokens"),
    ("output", "audio", "output_audio_tokens"),
    ("output", "transcription", "transcription_output_tokens"),
)
"""Direction, modality, and the part of the usage that counts them."""

Rows = dict[tuple[str, ...], float]
"""A number for each set of labels."""


def labels_of(run: ObservedRun) -> tuple[str, str]:
    """The values of the labels that all metrics have: the profile, and the model or else the kind of endpoint."""
    fallback = run.whereabouts.fallback
    return _labels(run, fallback.profile if fallback else run.profile)


def _labels(run: ObservedRun, profile: Profile) -> tuple[str, str]:
    return run.context["profile"], model_name(profile) or profile.endpoint.kind


class MetricTotals(Collector):
    """Adds up the sessions of each profile and model.

    What is used counts for the model that has carried the session, and where a reload has given its profile another
    one, or other prices, for that which it has when it is looked at. What earlier processes
    have used is theirs.

    Args:
        fleet: The sessions of the process.
    """

    def __init__(self, fleet: ObservedFleet) -> None:
        self._fleet = fleet
        self._known: dict[tuple[int, str], Usage] = {}
        """What each session had used of each provider when it was looked at last."""
        self._known_dropped: dict[int, int] = {}
        """How much audio each session had dropped then, in bytes."""
        self._tokens: Rows = {}
        self._costs: Rows = {}
        self._dropped: Rows = {}

    def collect(self) -> Iterable[Metric]:
        """All totals, as prometheus_client asks for them."""
        runs = [(labels_of(run), run) for run in self._fleet.runs]
        sessions: Rows = {(*labels, state): 0 for labels, _ in runs for state in STATES}
        queued: Rows = dict.fromkeys((labels for labels, _ in runs), 0)
        waits = dict(queued)
        for labels, run in runs:
            if run.session:
                self._count(labels, run, run.session)
            sessions[*labels, _state(run)] += 1
            queued[labels] += run.outputs.queued_bytes
            if run.session:
                waits[labels] = max(waits[labels], run.session.state.rate_limits.wait_s(anyio.current_time()))
        yield _gauge("sessions", "Sessions by what they are doing.", sessions, "state")
        text = "Tokens; cached ones are a part of the input."
        yield _counter("tokens", text, self._tokens, "direction", "modality")
        yield _counter("cost", "What was spent, in the currency of `run.limits.prices`.", self._costs)
        yield _counter("dropped_audio_bytes", "Audio that waited too long for a connection, in bytes.", self._dropped)
        yield _gauge("output_queue_bytes", "How far the outputs and the journal are behind, in bytes.", queued)
        yield _gauge("rate_limit_wait_seconds", "How long the next answer has to wait for a rate limit.", waits)

    def _count(self, labels: tuple[str, str], run: ObservedRun, session: Session) -> None:
        """Add what a session has used since it was looked at last."""
        carriage = session.carriage
        for name, usage in carriage.spending.of(session.usage).items():
            provider = carriage.providers.named(name) if carriage.providers else None
            profile = provider.profile if provider and provider.is_fallback else run.profile
            before = session.state.counts.earlier.get(name, Usage())
            used = usage.since(self._known.get((run.number, name), before))
            self._known[run.number, name] = replace(usage)
            self._use(_labels(run, profile), used, profile.run.limits.prices)
        dropped = session.dropped_audio_bytes
        self._dropped[labels] = self._dropped.get(labels, 0) + dropped - self._known_dropped.get(run.number, 0)
        self._known_dropped[run.number] = dropped

    def _use(self, labels: tuple[str, str], used: Usage, prices: Prices | None) -> None:
        for *kind, field in _TOKENS:
            row = (*labels, *kind)
            self._tokens[row] = self._tokens.get(row, 0) + getattr(used, field)
        if prices:
            self._costs[labels] = self._costs.get(labels, 0) + used.cost(prices)


def _state(run: ObservedRun) -> str:
    if run.phase == "live":
        return "open" if run.whereabouts.between_since_s is None else "reconnecting"
    return "draining" if run.phase == "flushing" else run.phase


def _gauge(name: str, text: str, rows: Rows, *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"rt_run_{name}", text, labels=[*LABELS, *labels])
    for values, number in rows.items():
        family.add_metric(values, number)
    return family


def _counter(name: str, text: str, rows: Rows, *labels: str) -> CounterMetricFamily:
    family = CounterMetricFamily(f"rt_run_{name}", text, labels=[*LABELS, *labels])
    for values, number in rows.items():
        family.add_metric(values, number)
    return family
