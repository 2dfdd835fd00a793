"""A profile's file and its parents, from the eldest to the profile itself."""

from collections.abc import Mapping
from pathlib import Path

from runner.errors import ProfileError
from runner.profile.builtin_profiles import builtin_profile
from runner.profile.home import home_expanded
from runner.profile.layers import Layer, shown
from runner.profile.locate import is_path, locate
from runner.profile.problems import Problem, ProfileProblems, problem_at
from runner.profile.read import read_layer
from runner.profile.suggestion import nearest


def lineage(path: Path, *, profiles_dir: Path | None, environ: Mapping[str, str]) -> tuple[list[Layer], list[Problem]]:
    """Read a profile and all that it extends; a parent that cannot be had is a problem at the child's `extends`.

    Raises:
        ProfileProblems: The profile itself cannot be read.
    """
    layers = [read_layer(path)]
    seen = {identity(path): path}
    while "extends" in layers[0].data:
        child = layers[0]
        name = child.data["extends"]
        if not isinstance(name, str) or not name or "\x00" in name:
            return layers, [_problem(child, "must be a profile's name or path")] if name == "" else []
        try:
            parent = related(name, child, profiles_dir=profiles_dir, environ=environ)
            if identity(parent) in seen:
                circle = " → ".join(shown(each) for each in [*seen.values(), parent])
                problem = f"profiles extend each other in a circle: {circle}"
                return layers, [_problem(child, problem, code="extends-cycle")]
            seen[identity(parent)] = parent
            layers.insert(0, read_layer(parent))
        except ProfileProblems as error:
            return layers, [
                *error.problems,
                _problem(child, f"the parent {name!r} cannot be read", code="extends-broken"),
            ]
        except ProfileError as error:
            return layers, [_problem(child, error.message, error.hint, code="extends-missing")]
    return layers, []


def related(name: str, child: Layer, *, profiles_dir: Path | None, environ: Mapping[str, str]) -> Path:
    """Find the profile that another one names: beside that, and then where every name is searched for.

    Raises:
        ProfileError: There is none.
    """
    if is_path(name):
        try:
            path = child.folder / home_expanded(name, environ)
        except ValueError as error:
            raise ProfileError(str(error)) from None
        if path.is_file():
            return path.absolute()
        near = nearest(path.name, [each.name for each in path.parent.glob("*.toml")])
        raise ProfileError(
            f"there is no profile {shown(path)!r}",
            hint=f"did you mean {near[0]}?" if near else "a relative path starts at the profile that says it",
        )
    if child.path and child.path.stem == name and (builtin := builtin_profile(name)):
        return builtin  # what it has taken the place of
    beside = child.folder / f"{name}.toml"
    if _is_file(beside):
        return beside
    return locate(name, profiles_dir=profiles_dir or child.folder, environ=environ)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def identity(path: Path) -> str:
    """The one name of a profile's file, whatever path leads there."""
    try:
        return str(path.resolve())
    except (OSError, RuntimeError):
        return str(path)


def _problem(child: Layer, problem: str, hint: str = "", *, code: str = "invalid-value") -> Problem:
    return problem_at(child.place(("extends",)), ("extends",), problem, hint, code=code)
