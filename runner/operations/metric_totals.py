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
    return run.context["profile"], model_name(run.profile) or run.profile.endpoint.kind


class MetricTotals(Collector):
    """Adds up the sessions of each profile and model.

    What is used counts for the model that a session has when it is looked at: a reload may give it another one, and
    other prices.

    Args:
        fleet: The sessions of the process.
    """

    def __init__(self, fleet: ObservedFleet) -> None:
        self._fleet = fleet
        self._known: dict[int, tuple[Usage, int]] = {}
        """What was known of each session when it was looked at last: its usage, and the audio that was dropped."""
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
            self._count(labels, run)
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

    def _count(self, labels: tuple[str, str], run: ObservedRun) -> None:
        """Add what a session has used since it was looked at last."""
        usage, dropped = self._known.get(run.number, (Usage(), 0))
        now = (replace(run.session.usage), run.session.dropped_audio_bytes) if run.session else (usage, dropped)
        self._known[run.number] = now
        used = now[0].since(usage)
        for *kind, field in _TOKENS:
            row = (*labels, *kind)
            self._tokens[row] = self._tokens.get(row, 0) + getattr(used, field)
        self._dropped[labels] = self._dropped.get(labels, 0) + now[1] - dropped
        if prices := run.profile.run.limits.prices:
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
