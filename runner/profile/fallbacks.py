"""The fallbacks of a profile: they are found and judged with it, so that no run finds out when it needs one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from runner.errors import ProfileError
from runner.profile.environment import PREFIX
from runner.profile.inherit import identity, related
from runner.profile.keys import Key, at, dotted
from runner.profile.locate import DIRECTORY_VARIABLE
from runner.profile.problems import Problem, ProfileProblems, problem_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from runner.profile.layers import Layer
    from runner.profile.merge import Owners
    from runner.profile.session_source import Fallback
    from runner.settings.profile import Profile

FALLBACK: Final[Key] = ("run", "fallback")


class ReadProfile(NamedTuple):
    """A profile as its files say it."""

    path: Path
    profile: Profile
    owners: Owners


class FallbackReader:
    """Reads the fallbacks of one profile.

    Args:
        read: Reads a profile by its files alone; raises `ProfileError`.
        profiles_dir: The folder that is searched first.
        environ: The environment.

    Attributes:
        fallbacks: Those that could be read, in their order.
        problems: What is wrong with them.
        warnings: What their models cannot do.
    """

    def __init__(
        self, read: Callable[[Path], ReadProfile], *, profiles_dir: Path | None, environ: Mapping[str, str]
    ) -> None:
        self._read = read
        self._profiles_dir = profiles_dir
        self._environ = environ
        self._key: Key = FALLBACK
        self._layer: Layer
        self.fallbacks: list[Fallback] = []
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def take(self, path: Path | None, profile: Profile | None, tree: Mapping[str, object], owners: Owners) -> None:
        """Read the fallbacks that a profile names, and note what is wrong with them.

        Args:
            path: The profile's file, None where it has none.
            profile: The profile, None where it is wrong.
            tree: What its layers say.
            owners: Who says what.
        """
        names = at(tree, FALLBACK)
        taken = {path.stem: "this profile"} if path else {}
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if not isinstance(name, str) or not name or "\x00" in name:
                continue  # the schema says so
            self._key = (*FALLBACK, index)
            self._layer = owners[self._key]
            found = self._found(name)
            if found is None:
                continue
            other = found.path.stem
            if path and (circle := self._circle(path, found, [])):
                chain = " → ".join((path.stem, *circle))
                hint = "let both extend a profile that has no `run.fallback`"
                self._refuse(f"profiles fall back on each other in a circle: {chain}", hint, code="fallback-circle")
            elif other in taken:
                self._refuse(
                    f"{taken[other]} is called {other} too", "give each a name of its own", code="fallback-twice"
                )
            else:
                taken[other] = "another fallback"
                self._add(profile, other, found.profile)

    def _found(self, name: str) -> ReadProfile | None:
        try:
            return self._read(self._path(name, self._layer))
        except ProfileProblems as error:
            self.problems += error.problems
            self._refuse(f"the fallback {name!r} cannot be read", code="fallback-broken")
        except ProfileError as error:
            self._refuse(error.message, error.hint, code="fallback-missing")
        return None

    def _add(self, own: Profile | None, name: str, other: Profile) -> None:
        """Add a fallback, and note what its endpoint and its model cannot do of what ours does."""
        from runner.profile.session_source import Fallback
        from runner.profile.takeover import taken_over

        self.fallbacks.append(Fallback(name, other))
        if own is None:
            return
        takeover = taken_over(own, other)
        for key, reason, hint in takeover.unfit:
            self._refuse(f"{name} cannot take over: {dotted(key)}: {reason}", hint, code="fallback-unfit")
        for key, reason in takeover.left_out:
            problem, place = f"{name} does without {dotted(key)}: {reason}", self._layer.place(self._key)
            self.warnings.append(problem_at(place, self._key, problem, code="fallback-lacks"))

    def _refuse(self, problem: str, hint: str = "", *, code: str) -> None:
        self.problems.append(problem_at(self._layer.place(self._key), self._key, problem, hint, code=code))

    def _path(self, name: str, layer: Layer) -> Path:
        return related(name, layer, profiles_dir=self._profiles_dir, environ=self._environ)

    def _circle(self, target: Path, found: ReadProfile, seen: list[str]) -> list[str]:
        """The names on the way from a fallback back to a profile; nothing where there is none."""
        name = found.path.stem
        if identity(found.path) == identity(target):
            return [name]
        if identity(found.path) in seen:
            return []
        seen.append(identity(found.path))
        for each in self._next(found):
            if circle := self._circle(target, each, seen):
                return [name, *circle]
        return []

    def _next(self, found: ReadProfile) -> Iterator[ReadProfile]:
        for index, name in enumerate(found.profile.run.fallback):
            try:
                yield self._read(self._path(name, found.owners[*FALLBACK, index]))
            except ProfileError:
                continue  # `check` says so of the profile that names it


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what it says of the profile that is run: a fallback is what its files say."""
    return {name: value for name, value in environ.items() if name == DIRECTORY_VARIABLE or not name.startswith(PREFIX)}
