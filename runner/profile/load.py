"""Loading a profile: find it, read it and its parents, lay environment and flags over it, judge the whole."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from runner.profile.environment import environment_layer
from runner.profile.fallbacks import FallbackReader, ReadProfile, without_settings
from runner.profile.inherit import lineage
from runner.profile.keys import Key, at, prefixes
from runner.profile.layers import Layer
from runner.profile.live_keys import left_out
from runner.profile.locate import environment, locate
from runner.profile.merge import Owners, merged
from runner.profile.origins import Origins
from runner.profile.overrides import override_layer
from runner.profile.problems import Problem, ProfileProblems, ordered, problem_at
from runner.profile.references import resolved
from runner.profile.rules import broken_rules
from runner.profile.rules_secrets import literal_secrets
from runner.profile.strict_values import strict_problems
from runner.profile.suggestion import named_in
from runner.profile.variable_layers import from_environment, from_file, from_flags
from runner.settings.auth import default_auth
from runner.settings.profile import Profile

if TYPE_CHECKING:
    from runner.profile.session_source import Fallback

_ABSENT = frozenset({"missing-key", "model-missing", "entra-fields", "variable-undeclared", "unknown-placeholder"})
"""Problems that a parent which cannot be read might have prevented."""


@dataclass(frozen=True)
class LoadedProfile:
    """A valid profile and its history."""

    profile: Profile
    name: str
    """The file's name without `.toml`."""
    path: Path
    origins: Origins
    """Where each value came from."""
    warnings: list[Problem] = field(default_factory=list)
    """What looks wrong and does not stop the profile."""
    fallbacks: "tuple[Fallback, ...]" = ()
    """The profiles that take over where its own endpoint fails, in this order."""
    left_out: list[Problem] = field(default_factory=list)
    """What its parents say of a realtime session, and a Live one does not have."""


def load_profile(
    name: str | Path,
    *,
    profiles_dir: Path | str | None = None,
    sets: Iterable[str] = (),
    environ: Mapping[str, str] | None = None,
    variables: Iterable[str] = (),
    variables_file: Path | str | None = None,
) -> LoadedProfile:
    """Load a profile by name or path.

    Args:
        name: A path if it has a slash or ends in `.toml`, else a name that is searched for.
        profiles_dir: The folder that is searched first.
        sets: `KEY=VALUE` overrides, as after `--set`.
        environ: The environment; by default the process's own.
        variables: `NAME=VALUE` for the profile's variables, as after `--var`.
        variables_file: A JSON object of such values, as after `--vars`.

    Raises:
        ProfileProblems: The profile has problems; all of them are reported at once.
        ProfileError: There is no such profile.
    """
    name, sets = str(name), [sets] if isinstance(sets, str) else sets
    environ = environment(environ)
    folder = Path(profiles_dir) if profiles_dir is not None else None
    path = locate(name, profiles_dir=folder, environ=environ)
    settings, warnings = environment_layer(environ)
    overrides, flag_problems = override_layer(sets)
    try:
        files, problems = lineage(path, profiles_dir=folder, environ=environ)
    except ProfileProblems as error:
        raise ProfileProblems([*error.problems, *flag_problems], warnings) from None
    declared = _declared([*files, settings, overrides])
    by_variable, ignored = from_environment(environ, declared)
    file = Path(variables_file) if variables_file is not None else None
    given = [from_file(file, declared), from_flags([variables] if isinstance(variables, str) else variables, declared)]
    layers = [*files, settings, by_variable, overrides, *(layer for layer, _ in given)]
    is_whole = not problems
    if is_whole:
        # A parent that cannot be read may declare what nothing else does.
        warnings += ignored
        flag_problems += [problem for _, wrong in given for problem in wrong]
    reader = _reader(folder, environ)
    profile, owners, judged = _validated(
        layers, files[-1], [*problems, *flag_problems], warnings, environ=environ, is_whole=is_whole, reader=reader
    )
    gone = left_out(layers) if profile.session.type == "live" else []
    return LoadedProfile(profile, path.stem, path, Origins(owners), judged, tuple(reader.fallbacks), gone)


def make_profile(**tables: Any) -> Profile:
    """Make a profile without a file; it is judged as one in a file is.

    Args:
        tables: The profile's keys, such as `endpoint={"kind": "local"}`; `version` need not be given.

    Raises:
        ProfileProblems: The profile has problems; all of them are reported at once.
    """
    layer = Layer("argument", {"version": 1, **tables}, Path.cwd())
    if problem := _unfit(tables):
        raise ProfileProblems([problem_at(layer.place(()), (), problem, code="argument")])
    environ = environment(None)
    return _validated([layer], layer, [], [], environ=environ, reader=_reader(None, environ))[0]


def made_fallbacks(profile: Profile) -> "tuple[Fallback, ...]":
    """The fallbacks of a profile without a file, by the names that it says.

    Raises:
        ProfileProblems: One of them cannot be had.
    """
    if not profile.run.fallback:
        return ()
    layer = Layer("argument", {"run": {"fallback": profile.run.fallback}}, Path.cwd())
    reader = _reader(None, environment(None))
    reader.take(None, profile, *merged([layer])[:2])
    if reader.problems:
        raise ProfileProblems(reader.problems, reader.warnings)
    return tuple(reader.fallbacks)


def _reader(profiles_dir: Path | None, environ: Mapping[str, str]) -> FallbackReader:
    """What reads the fallbacks of a profile, each as its files say it."""
    alone = without_settings(environ)

    def read(path: Path) -> ReadProfile:
        files, problems = lineage(path, profiles_dir=profiles_dir, environ=alone)
        profile, owners, _ = _validated(files, files[-1], problems, [], environ=alone, is_whole=not problems)
        return ReadProfile(path, profile, owners)

    return FallbackReader(read, profiles_dir=profiles_dir, environ=environ)


def _declared(layers: Iterable[Layer]) -> list[str]:
    """The names of the variables that these layers declare."""
    tables = [each.data.get("variables") for each in layers]
    return list(dict.fromkeys(name for each in tables if isinstance(each, dict) for name in each))


def _unfit(tables: dict[str, Any]) -> str:
    """Why no profile can be made of these tables, whatever the settings say; nothing where one can."""
    if tables.get("extends") is not None:
        return "a parent can only be named in a file"
    try:
        json.dumps(tables, default=str)
    except (ValueError, RecursionError):
        return "tables must not hold themselves, nor nest deeper than Python goes"
    return ""


def _validated(
    said: list[Layer],
    file: Layer,
    problems: list[Problem],
    warnings: list[Problem],
    *,
    environ: Mapping[str, str],
    is_whole: bool = True,
    reader: FallbackReader | None = None,
) -> tuple[Profile, Owners, list[Problem]]:
    """Lay the layers over each other and judge the whole; returns the profile, its values' owners and the warnings.

    Args:
        said: What each layer says, the first the least.
        file: Where problems of the whole are reported.
        problems: What is wrong already.
        warnings: What looks wrong already.
        environ: The environment, which knows the home directory.
        is_whole: Whether no layer is missing.
        reader: Reads the profile's fallbacks, None where they do not count.

    Raises:
        ProfileProblems: The profile has problems.
    """
    problems, warnings = [*problems], [*warnings]
    layers: list[Layer] = []
    secret: list[tuple[Key, Problem]] = []
    for each in said:
        secret += literal_secrets(each)
        layer, wrong = resolved(each, environ)
        problems += wrong
        if "mcp_servers" in layer.data:
            from runner.profile.mcp_file import with_file_servers

            layer, unfit, odd = with_file_servers(layer)
            problems += unfit
            warnings += odd
        layers.append(layer)
    problems += [problem for _, problem in secret]
    tree, owners, absent = _with_defaults(layers, file)
    problems += [problem_at(each.place(key), key, "there is no such element", code="index") for key, each in absent]
    profile, judged = _judge(tree, owners, {key for key, _ in secret})
    if not is_whole:
        judged = [each for each in judged if each[0].code not in _ABSENT]
    problems += [problem for problem, is_warning in judged if not is_warning]
    warnings += [problem for problem, is_warning in judged if is_warning]
    if reader:
        reader.take(file.path, None if problems else profile, tree, owners)
        problems += reader.problems
        warnings += reader.warnings
    if problems or profile is None:
        raise ProfileProblems(ordered(problems), warnings)
    return profile, owners, warnings


def _with_defaults(layers: list[Layer], file: Layer) -> tuple[dict[str, Any], Owners, list[tuple[Key, Layer]]]:
    """Lay everything over the defaults that flags and variables may change in part."""
    data: dict[str, Any] = {"input": {"kind": "stdin"}, "outputs": [{"kind": "stdout"}]}
    if _said(layers, ("auth", "kind")) is None:
        data["auth"] = default_auth(_said(layers, ("endpoint", "kind")))
    tree, owners, absent = merged([Layer("default", data, Path("/")), *layers])
    return tree, {**owners, (): file}, absent


def _said(layers: list[Layer], key: Key) -> Any:
    """The value that the last layer to have this key gives to it; None where no layer has it."""
    return next((value for each in reversed(layers) if (value := at(each.data, key)) is not None), None)


def _judge(tree: dict[str, Any], owners: Owners, secret: set[Key]) -> tuple[Profile | None, list[tuple[Problem, bool]]]:
    found: list[tuple[Key, Problem]] = []
    unknown = [name for name in tree if name not in Profile.model_fields]
    if unknown:
        from runner.profile.validation_errors import unknown_keys

        found += unknown_keys(unknown, tree, owners)
    mistyped = list(strict_problems(tree, owners))
    found += mistyped
    known = {name: value for name, value in tree.items() if name in Profile.model_fields}
    profile: Profile | None = None
    try:
        profile = Profile.model_validate(known)
    except ValidationError as error:
        from runner.profile.validation_errors import refusals

        reported = {key for key, _ in mistyped}
        found += [each for each in refusals(error, known, owners) if each[0] not in reported]
    broken = broken_rules(None if found else profile, known, [key for key, _ in found if key], owners)
    special = {key for key, _, is_warning in broken if not is_warning} | secret
    strange = {key for key, problem in found if problem.code == "unknown-key"}
    # What is only misspelt is not missing.
    misspelt = {(*key[:-1], named_in(problem.hint)) for key, problem in found if key in strange}
    problems = [
        (problem, False)
        for key, problem in found
        if special.isdisjoint(prefixes(key)) and (problem.code == "unknown-key" or strange.isdisjoint(prefixes(key)))
        if problem.code != "missing-key" or key not in misspelt
    ]
    judged = [(problem, warning) for key, problem, warning in broken if key not in secret]
    return profile, [*problems, *judged]
