"""Contenders taking turns, and what their figures say."""

import math
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Contender:
    """Something that is measured: each call does it once and returns what it took."""

    name: str
    measure: Callable[[], float | Mapping[str, float]]
    """Gives several figures by name where the comparison has parts."""


@dataclass(frozen=True)
class Claim:
    """A bound on a ratio: `name` takes at most `at_most` times what `baseline` takes."""

    name: str
    baseline: str
    at_most: float


@dataclass(frozen=True)
class Part:
    """One of several figures that a contender's run gives, by the name that it has there."""

    name: str
    title: str
    unit: str
    claims: Sequence[Claim] = ()


@dataclass(frozen=True)
class Comparison:
    """Contenders that are measured in turns, the first one being what the others are compared with."""

    title: str
    unit: str
    contenders: Sequence[Contender]
    claims: Sequence[Claim] = ()
    parts: Sequence[Part] = ()
    """Where a run gives several figures; each becomes a comparison of its own."""
    most_rounds: int = 1_000_000
    """How often it is measured at most: some take minutes, and some always give the same."""


@dataclass(frozen=True)
class Figures:
    """What one contender's rounds say."""

    median: float
    low: float
    """The first quartile."""
    high: float
    """The third quartile."""
    ratio: float
    """The median over rounds of this contender to the first one in the same round."""
    samples: tuple[float, ...]


def run(comparison: Comparison, *, rounds: int) -> list[tuple[Comparison, dict[str, Figures]]]:
    """Measure every contender once a round, so that a slow moment of the machine falls on all of them.

    Args:
        comparison: What to measure.
        rounds: How often. Two rounds more come before them, but fewer than there are, that count for nothing: they fill
            caches, bytecode's among them.

    Returns:
        The comparison, or each of its parts as one, with the figures by the contenders' names.
    """
    rounds = min(rounds, comparison.most_rounds)
    warm_ups = min(rounds - 1, 2) if rounds < comparison.most_rounds else 0
    taken: dict[str, list[Mapping[str, float]]] = {each.name: [] for each in comparison.contenders}
    for number in range(-warm_ups, rounds):
        # Whoever goes first after a pause meets a colder machine: everybody does in turn.
        start = number % len(comparison.contenders)
        for contender in (*comparison.contenders[start:], *comparison.contenders[:start]):
            figures = contender.measure()
            if number >= 0:
                taken[contender.name].append(figures if isinstance(figures, Mapping) else {"": figures})
    parts = comparison.parts or [Part("", comparison.title, comparison.unit, comparison.claims)]
    return [
        (
            replace(comparison, title=part.title, unit=part.unit, claims=part.claims, parts=()),
            _all_figures({name: [each[part.name] for each in runs] for name, runs in taken.items()}),
        )
        for part in parts
    ]


def ratio(figures: Mapping[str, Figures], name: str, baseline: str) -> float:
    """The median over rounds of one contender to another in the same round."""
    return _ratio(figures[name].samples, figures[baseline].samples)


def pin(core: int) -> str:
    """Keep this process, and what it starts from now on, on one core; says how that went."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned: this system cannot"
    try:
        os.sched_setaffinity(0, {core})
    except OSError as error:
        return f"not pinned: {error.strerror}"
    return f"pinned to core {core}"


def _all_figures(taken: dict[str, list[float]]) -> dict[str, Figures]:
    baseline = next(iter(taken.values()))
    return {name: _figures(samples, baseline) for name, samples in taken.items()}


def _figures(samples: list[float], baseline: list[float]) -> Figures:
    quartiles = statistics.quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else samples * 3
    return Figures(
        median=statistics.median(samples),
        low=quartiles[0],
        high=quartiles[2],
        ratio=_ratio(samples, baseline),
        samples=tuple(samples),
    )


def _ratio(samples: Sequence[float], baseline: Sequence[float]) -> float:
    pairs = zip(samples, baseline, strict=True)
    return statistics.median(one / other if other else math.inf for one, other in pairs)
