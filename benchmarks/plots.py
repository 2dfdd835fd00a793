"""Comparisons as drawings: bars with median and quartiles, the same bytes for the same figures."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.measure import Comparison, Figures
from benchmarks.report import Result, digits

_OURS, _OTHERS, _INK = "#1b6ca8", "#b8c4ce", "#222222"
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "rt-run",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
}
_BAR_IN, _MARGIN_IN, _WIDTH_IN = 0.34, 0.95, 7.5


def draw(folder: Path, results: Sequence[Result]) -> None:
    """Write one SVG for each comparison into a folder, named after its title and unit."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_STYLE):
        for comparison, figures in results:
            what = f"{comparison.title} {comparison.unit}".lower().replace("µ", "u")
            name = re.sub(r"[^a-z0-9]+", "-", what).strip("-")
            _figure(comparison, figures).savefig(
                folder / f"{name}.svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight"
            )


def _figure(comparison: Comparison, figures: Mapping[str, Figures]) -> Figure:
    figure = Figure(figsize=(_WIDTH_IN, _MARGIN_IN + _BAR_IN * len(figures)))
    axes = figure.subplots()
    medians = [each.median for each in figures.values()]
    spread = [
        [each.median - each.low for each in figures.values()],
        [each.high - each.median for each in figures.values()],
    ]
    colours = [_OURS if name.startswith("rt-run") else _OTHERS for name in figures]
    axes.barh(list(figures), medians, xerr=spread, color=colours, ecolor=_INK, capsize=2, height=0.7)
    room = max(each.high for each in figures.values())
    for row, each in enumerate(figures.values()):
        axes.text(each.high + room * 0.015, row, digits(each.median), va="center", color=_INK)
    axes.set_xlim(0, room * 1.12)
    axes.invert_yaxis()
    axes.set_title(comparison.title, loc="left", fontsize=11)
    axes.set_xlabel(f"{comparison.unit}; bar: median, line: quartiles")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    return figure
