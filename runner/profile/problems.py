"""What is wrong with a profile: the place, the problem and the way out."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.errors import ProfileError
from runner.profile.keys import Key, dotted, redacted


class Place(NamedTuple):
    """Where a value stands: a position in a file, or the name of a flag or of an environment variable."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem(NamedTuple):
    """One problem of a profile; `line` and `column` count from 1 and are 0 where the place is not a file."""

    file: str
    line: int
    column: int
    key: str
    problem: str
    hint: str = ""
    code: str = "invalid-value"

    def __str__(self) -> str:
        place = Place(self.file, self.line, self.column)
        key = self.key
        if not self.line and key.startswith("variables."):
            # Whoever gives a variable its value knows it by its name.
            key = key.removeprefix("variables.").removesuffix(".default")
        # A flag names its key already.
        text = f"{place}: {self.problem}"
        if key and not str(place).endswith((f" {key}", f" {self.key}")):
            text = f"{place}: {key}: {self.problem}"
        between = "\n  hint: " if "\n" in text else "; "
        return f"{text}{between}{self.hint}" if self.hint else text


class ProfileProblems(ProfileError):
    """A profile with problems: all of them, each with its place.

    Args:
        problems: What is wrong, at least one.
        warnings: What only looks wrong.
    """

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        super().__init__("\n".join(str(problem) for problem in problems), code=problems[0].code)
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)


def problem_at(place: Place, key: Key, problem: str, hint: str = "", *, code: str) -> Problem:
    """A problem at a place, without any secret that the texts may have caught from the profile."""
    return Problem(place.file, place.line, place.column, dotted(key), redacted(problem), redacted(hint), code)


def ordered(problems: Iterable[Problem]) -> list[Problem]:
    """The problems by file and position, each only once."""
    return sorted(
        dict.fromkeys(problems), key=lambda problem: (problem.line == 0, problem.file, problem.line, problem.column)
    )
