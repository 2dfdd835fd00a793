"""All metrics of a process: what happens is counted as it happens, and what is, is looked at when somebody asks."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Info, ProcessCollector
from prometheus_client.exposition import choose_encoder

import runner
from runner.operations.instruments import Instruments
from runner.operations.metric_totals import MetricTotals, labels_of
from runner.operations.run_metrics import RunMetrics

if TYPE_CHECKING:
    from runner.operations.observed import ObservedFleet


class Metrics:
    """All metrics of a process.

    Args:
        fleet: Its sessions, none of which has begun.
    """

    def __init__(self, fleet: ObservedFleet) -> None:
        self._registry = CollectorRegistry()
        instruments = Instruments(self._registry)
        for run in fleet.runs:
            instruments.begin(*labels_of(run), [tool.name for tool in run.profile.tools])
            RunMetrics(run, instruments)
        self._registry.register(MetricTotals(fleet))
        ProcessCollector(registry=self._registry)
        build = Info("rt_run_build", "What runs.", registry=self._registry)
        build.info({"version": str(runner.__version__), "python": platform.python_version()})

    def rendered(self, accept: str) -> tuple[bytes, str]:
        """All metrics as text, and its content type, in the form that the asker accepts."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type
