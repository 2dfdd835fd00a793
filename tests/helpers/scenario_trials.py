"""Scenarios that run in this process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.scenarios.scenario_file import load_scenarios
from runner.scenarios.scenario_run import ScenarioRuns, ScenarioVerdict


async def verdicts(folder: Path, *paths: Path, sets: Sequence[str] = (), **changes: Any) -> list[ScenarioVerdict]:
    """What becomes of scenarios, with some settings of their profiles changed."""
    told: list[ScenarioVerdict] = []
    runs = {"repeat": 1, "jobs": 4, "is_local": True, "counts_limits": False, "folder": folder / "kept", **changes}
    scenarios = load_scenarios(paths, profile=None, values={"sets": sets})
    assert await ScenarioRuns(**runs).execute(scenarios, told.append) == told
    return told
