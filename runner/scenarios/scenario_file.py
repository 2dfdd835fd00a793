"""Scenarios on the disk: found, read and judged, each with the profile that it is for."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from runner.api.session_types import TALKING
from runner.errors import UsageError
from runner.profile.filling import missing_values
from runner.profile.keys import Key, at, leaves
from runner.profile.load import load_profile
from runner.profile.locate import is_path
from runner.profile.problems import Problem, ProfileProblems, ordered, problem_at
from runner.profile.read import read_layer
from runner.profile.suggestion import nearest
from runner.scenarios.scenario import (
    AnsweredCall,
    Expectation,
    ExpectedEnd,
    JudgeSettings,
    Scenario,
    ScenarioLimits,
    ScenarioTurn,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runner.profile.layers import Layer
    from runner.profile.load import LoadedProfile

FOLDER = Path("profiles", "scenarios")
"""Where scenarios are looked for that nobody names."""
_FIELDS: Final = [
    each.alias or name
    for model in (Scenario, ScenarioTurn, Expectation, AnsweredCall, ExpectedEnd, JudgeSettings, ScenarioLimits)
    for name, each in model.model_fields.items()
]
_PREFIX = re.compile(r"^(Value error, |Input should be )")


@dataclass(frozen=True)
class LoadedScenario:
    """A valid scenario and the profile that it is for."""

    scenario: Scenario
    name: str
    """The file without `.toml`, as seen from where the command is run."""
    path: Path
    loaded: LoadedProfile


def scenario_files(given: Sequence[str]) -> list[Path]:
    """The files of scenarios that a command names: files, and all TOML files below folders.

    Raises:
        UsageError: There is no such file or folder, or nothing in it.
    """
    found: list[Path] = []
    for each in [Path(name) for name in given] or [FOLDER]:
        if each.is_dir():
            below = sorted(each.rglob("*.toml"))
            if not below:
                msg = f"there is no scenario in the folder {each}"
                raise UsageError(msg, hint="a scenario is a TOML file")
            found += below
        elif each.is_file():
            found.append(each)
        else:
            what = "no folder scenarios here" if not given else f"no file or folder {each}"
            msg = f"there is {what}"
            raise UsageError(
                msg, hint="name files or folders; `rt-run test --from JOURNAL` prints a recorded session's"
            )
    return list(dict.fromkeys(found))


def load_scenarios(paths: Iterable[Path], *, profile: str | None, values: Mapping[str, Any]) -> list[LoadedScenario]:
    """Load scenarios with their profiles.

    Args:
        paths: Their files.
        profile: The profile to try instead of theirs.
        values: What flags say of the profiles, as `load_profile` takes it.

    Raises:
        ProfileProblems: Some have problems; all of them are reported at once.
        ProfileError: There is no such profile.
    """
    loaded: list[LoadedScenario] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            loaded.append(load_scenario(path, profile=profile, values=values))
        except ProfileProblems as error:
            problems += error.problems
    if problems:
        raise ProfileProblems(ordered(problems))
    return loaded


def load_scenario(path: Path, *, profile: str | None = None, values: Mapping[str, Any] | None = None) -> LoadedScenario:
    """Load one scenario with its profile; arguments and errors as `load_scenarios` has them."""
    layer = read_layer(path.absolute())
    scenario = _validated(layer)
    values = dict(values or {})
    given = [f"{name}={value}" for name, value in scenario.variables.items()]
    variables = [*given, *values.pop("variables", ())]
    loaded = load_profile(profile or _place(scenario.profile, path), variables=variables, **values)
    folder = path.absolute().parent
    problems = [
        *_absent_recordings(scenario, folder, layer),
        *_strange_tools(scenario, loaded, layer),
        *_typed_turns(scenario, loaded, layer),
    ]
    if problems := [*missing_values(loaded.profile, loaded.origins), *problems]:
        raise ProfileProblems(problems)
    turns = [
        turn.model_copy(update={"audio": folder / turn.audio}) if turn.audio is not None else turn
        for turn in scenario.turns
    ]
    return LoadedScenario(scenario.model_copy(update={"turns": turns}), str(path.with_suffix("")), path, loaded)


def _place(profile: str, path: Path) -> str:
    """The profile as `load_profile` finds it."""
    folder = path.absolute().parent
    if is_path(profile):
        return profile if profile.startswith("~") else str(folder / profile)
    near = folder.parent / f"{profile}.toml"
    return str(near) if near.is_file() else profile


def _validated(layer: Layer) -> Scenario:
    problems = [
        problem_at(layer.place(key), key, "must not be a date or time; put it in quotes", code="date")
        for key, value in leaves(layer.data)
        if not isinstance(value, str | int | float | bool | list | dict)
    ]
    try:
        scenario = Scenario.model_validate(layer.data)
    except ValidationError as error:
        problems += [_problem(each, layer) for each in error.errors(include_url=False, include_input=False)]
        raise ProfileProblems(ordered(problems)) from None
    if problems:
        raise ProfileProblems(problems)
    return scenario


def _problem(error: Any, layer: Layer) -> Problem:
    key = _key(error["loc"], layer.data)
    kind, name = error["type"], str(key[-1]) if key else ""
    if kind == "extra_forbidden":
        near = nearest(name, _FIELDS)
        hint = f"did you mean {near[0]}?" if near else ""
        return problem_at(layer.place(key, "key"), key, "unknown key", hint, code="unknown-key")
    if kind == "missing":
        hint = "write `version = 1`" if name == "version" else ""
        return problem_at(layer.place(key[:-1], "table"), key, "is missing", hint, code="missing-key")
    if kind == "union_tag_invalid":
        problem = f"{error['ctx']['discriminator']} must be one of {error['ctx']['expected_tags']}"
        return problem_at(layer.place(key), key, problem, code="unknown-kind")
    text = _PREFIX.sub(lambda found: "must be " if "Input" in found[0] else "", error["msg"])
    return problem_at(layer.place(key), key, text[0].lower() + text[1:], code="invalid-value")


def _key(location: Sequence[str | int], data: Mapping[str, Any]) -> Key:
    """The key that an error's location means: without the labels that pydantic adds for unions."""
    key: Key = ()
    for index, part in enumerate(location):
        below = at(dict(data), key)
        is_there = (isinstance(below, dict) and part in below) or (isinstance(below, list) and isinstance(part, int))
        if is_there or index == len(location) - 1:
            key = (*key, part)
    return key


def _absent_recordings(scenario: Scenario, folder: Path, layer: Layer) -> list[Problem]:
    """A problem for each recording that is not there."""
    found = []
    for index, turn in enumerate(scenario.turns):
        # Path.is_file() raises where a name is too long.
        if turn.audio is not None and not os.path.isfile(folder / turn.audio):  # noqa: PTH113
            key: Key = ("turns", index, "audio")
            hint = "a relative path starts at the scenario"
            found.append(problem_at(layer.place(key), key, f"there is no file {turn.audio}", hint, code="file-missing"))
    return found


def _strange_tools(scenario: Scenario, loaded: LoadedProfile, layer: Layer) -> list[Problem]:
    """A problem for each result of a tool that the profile does not have; those of MCP servers are not known yet."""
    profile = loaded.profile
    names = [each.name for each in profile.tools]
    if profile.mcp_servers:
        return []
    problems = []
    for name in scenario.tool_results:
        if name not in names:
            near, key = nearest(name, names), ("tool_results", name)
            hint = f"did you mean {near[0]}?" if near else "what rt-run runs is answered: [[tools]] and MCP servers"
            problem = f"the profile {loaded.name} has no tool of this name"
            problems.append(problem_at(layer.place(key, "key"), key, problem, hint, code="unknown-tool"))
    return problems


def _typed_turns(scenario: Scenario, loaded: LoadedProfile, layer: Layer) -> list[Problem]:
    """A problem for each turn that is typed into a session that takes audio only."""
    kind = loaded.profile.session.type
    if kind in TALKING:
        return []
    problem, hint = f"a {kind} session takes audio, not text", "write spoken = true beside it, or audio in its place"
    keys: list[Key] = [
        ("turns", index, "user")
        for index, turn in enumerate(scenario.turns)
        if turn.user is not None and not turn.is_voiced
    ]
    return [problem_at(layer.place(key), key, problem, hint, code="typed-turn") for key in keys]
