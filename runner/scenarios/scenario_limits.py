"""The limits of a scenario on time and cost, and whether its runs keep them."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from runner.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runner.journal.report_model import SessionReport
    from runner.scenarios.scenario import Scenario
    from runner.settings.profile import Profile

_P95: Final = 0.95


def recorded_report(path: Path, profile: Profile) -> SessionReport:
    """The report of a run, from its journal.

    Args:
        path: The journal.
        profile: The profile with the prices.
    """
    from runner.journal.reading import read_journal
    from runner.journal.session_report import report_of
    from runner.journal.timeline import Timeline

    timeline = Timeline()
    with suppress(InputError):
        for record in read_journal(path, lambda _: None):
            timeline.take(record)
    prices = profile.run.limits.prices
    return report_of(timeline, cost=timeline.usage.cost(prices) if prices else None)


def too_expensive(scenario: Scenario, report: SessionReport) -> list[str]:
    """What is wrong with the cost of a run, in a sentence."""
    most = scenario.limits.cost
    if most is None:
        return []
    if report.cost is None:
        return ["limits.cost: the profile has no [run.limits.prices], so that the cost is not known"]
    return [f"limits.cost: it cost {report.cost:g}, and may cost {most:g}"] if report.cost > most else []


def too_late(scenario: Scenario, first_audio_s: Sequence[float]) -> list[str]:
    """What is wrong with the times to the first audio, in seconds, of all runs together, in a sentence."""
    most_ms = scenario.limits.first_audio_p95_ms
    if most_ms is None:
        return []
    if not first_audio_s:
        return ["limits.first_audio_p95_ms: no answer had any audio"]
    took_ms = sorted(first_audio_s)[math.ceil(_P95 * len(first_audio_s)) - 1] * 1000
    if took_ms <= most_ms:
        return []
    return [f"limits.first_audio_p95_ms: answers took {took_ms:.0f} ms to their first audio, and may take {most_ms} ms"]
