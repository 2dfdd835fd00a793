"""What was measured, for people and for programs."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.measure import Comparison, Figures, ratio

_PACKAGES = ("rt-run", "openai", "pydantic", "anyio", "httpx", "httpx-ws", "structlog", "trio", "rich")


def machine() -> dict[str, Any]:
    """Where the figures were taken."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def print_machine(details: Mapping[str, Any], pinned: str) -> None:
    """Print where the figures were taken."""
    print(f"{details['python']}; {details['processor']}, {details['cores']} cores; {details['system']}; {pinned}")
    print(" ".join(f"{name}={number}" for name, number in details["packages"].items()))


def print_comparison(comparison: Comparison, figures: Mapping[str, Figures]) -> bool:
    """Print one table; says whether every claim holds."""
    names = max(len(name) for name in figures)
    print(f"\n{comparison.title} ({comparison.unit})")
    print(f"  {'':{names}}  {'median':>9}  {'quartiles':>19}  ratio")
    for name, each in figures.items():
        print(f"  {name:{names}}  {each.median:9.4f}  {each.low:9.4f}-{each.high:9.4f}  {each.ratio:5.2f}")
    hold = True
    for claim in comparison.claims:
        found = ratio(dict(figures), claim.name, claim.baseline)
        holds = found <= claim.at_most
        hold = hold and holds
        verdict = "holds" if holds else "DOES NOT HOLD"
        print(f"  {claim.name}: {found:.2f} of {claim.baseline}, claimed at most {claim.at_most:g}: {verdict}")
    return hold


def write_json(
    path: Path, details: Mapping[str, Any], results: Mapping[str, Mapping[str, Figures]], *, rounds: int
) -> None:
    """Write all samples, so that they can be looked at again."""
    comparisons = {title: {name: asdict(each) for name, each in figures.items()} for title, figures in results.items()}
    path.write_text(json.dumps({"machine": details, "rounds": rounds, "comparisons": comparisons}, indent=2) + "\n")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
