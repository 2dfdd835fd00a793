"""What was measured, for people and for programs."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.measure import Claim, Comparison, Figures, ratio

_PACKAGES = (
    *("rt-run", "pydantic", "pydantic-core", "pybase64", "anyio", "httpx", "httpx-ws", "structlog", "trio", "uvloop"),
    *("openai", "openai-agents", "websockets", "picows"),
)

Result = tuple[Comparison, Mapping[str, Figures]]


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
        median, low, high = (digits(figure) for figure in (each.median, each.low, each.high))
        print(f"  {name:{names}}  {median:>9}  {f'{low} - {high}':>19}  {each.ratio:5.2f}")
    hold = True
    for claim in comparison.claims:
        found = _found(claim, figures)
        if found is None:
            hold = False
            print(f"  {claim.name}: cannot be compared with {claim.baseline}, which is not installed")
            continue
        holds = found <= claim.at_most
        hold = hold and holds
        verdict = "holds" if holds else "DOES NOT HOLD"
        print(f"  {claim.name}: {found:.3f} of {claim.baseline}, claimed at most {claim.at_most:.3g}: {verdict}")
    return hold


def write_json(path: Path, details: Mapping[str, Any], results: Sequence[Result], *, rounds: int) -> None:
    """Write all samples, so that they can be looked at again."""
    comparisons = [
        {
            "title": comparison.title,
            "unit": comparison.unit,
            "claims": [{**asdict(claim), "found": _found(claim, figures)} for claim in comparison.claims],
            "contenders": {name: asdict(each) for name, each in figures.items()},
        }
        for comparison, figures in results
    ]
    path.write_text(json.dumps({"machine": details, "rounds": rounds, "comparisons": comparisons}, indent=2) + "\n")


def _found(claim: Claim, figures: Mapping[str, Figures]) -> float | None:
    if claim.name not in figures or claim.baseline not in figures:
        return None
    return ratio(figures, claim.name, claim.baseline)


def digits(figure: float) -> str:
    """Four digits that count."""
    return f"{figure:,.0f}" if figure >= 1000 else f"{figure:.4g}"


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
