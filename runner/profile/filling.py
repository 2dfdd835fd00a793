"""The texts of a profile with the values of its variables in them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from runner.profile.origins import Origins
from runner.profile.problems import Place, Problem, ProfileProblems
from runner.profile.variable_layers import from_program
from runner.redaction import MASK, hide
from runner.settings.profile import Profile, SessionSettings
from runner.settings.variable import LONGEST, Variable

TEXTS: tuple[tuple[str, ...], ...] = (
    ("session", "instructions"),
    ("session", "delegation", "responses", "instructions"),
    ("session", "audio", "input", "transcription", "prompt"),
    ("session", "tools", "*", "description"),
    ("session", "tools", "*", "server_description"),
    ("tools", "*", "description"),
    ("tools", "*", "say"),
    ("mcp_servers", "*", "say"),
    ("mcp_servers", "*", "run", "description"),
    ("run", "tools", "say"),
    ("greeting", "text"),
    ("greeting", "prompt"),
    ("idle", "texts", "*"),
    ("idle", "goodbye"),
)
"""The keys of the texts that the model reads or says; `*` is every element of an array."""

NAMED = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
"""A name in double braces."""

_LONGEST_FILE_NAME = 80
_UNSAFE = re.compile(r"[^\w.-]+")


def texts_of(tree: Any, pattern: tuple[str, ...], key: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, str]]:
    """Every text at a key of `TEXTS` in tables and arrays, with its whole key."""
    if not pattern:
        if isinstance(tree, str):
            yield key, tree
    elif pattern[0] == "*":
        for index, each in enumerate(tree if isinstance(tree, list) else ()):
            yield from texts_of(each, pattern[1:], (*key, index))
    elif isinstance(tree, Mapping) and pattern[0] in tree:
        yield from texts_of(tree[pattern[0]], pattern[1:], (*key, pattern[0]))


def with_values(profile: Profile, values: Mapping[str, object]) -> Profile:
    """The profile with these values of its variables, which a program gives.

    Raises:
        ProfileProblems: There is no such variable, or a value does not fit; all problems are reported at once.
    """
    layer, problems = from_program(values, profile.variables)
    variables = dict(profile.variables)
    for name, given in layer.data.get("variables", {}).items():
        try:
            variables[name] = Variable.model_validate(variables[name].model_dump(exclude_unset=True) | given)
            misfit = variables[name].misfit
        except ValidationError:
            misfit = f"must have at most {LONGEST} characters"
        if misfit:
            problems.append(Problem("variables", 0, 0, f"variables.{name}", misfit, code="variable-value"))
    if problems:
        raise ProfileProblems(problems)
    return profile.model_copy(update={"variables": variables})


def filled(profile: Profile, *, name: str, started: datetime) -> Profile:
    """The profile of one session: every `{{name}}` of its texts is the value of the variable.

    Args:
        profile: A valid profile.
        name: Its name, for `{{profile}}`.
        started: When the session starts, for `{{date}}` and `{{time}}`.

    Raises:
        ProfileProblems: A variable that is required has no value.
    """
    if missing := missing_values(profile):
        raise ProfileProblems(missing)
    for each in profile.variables.values():
        if each.secret:
            hide(each.default or "")
    return _with(profile, lambda: _values(profile, name, started))


def filled_for_show(profile: Profile, *, name: str, started: datetime) -> Profile:
    """The profile as it may be shown: without the values of secret variables, and with the names of missing ones."""
    values = _values(profile, name, started)
    for key, each in profile.variables.items():
        if each.is_missing:
            del values[key]
        elif each.secret:
            values[key] = MASK
    return _with(profile, lambda: values)


def session_filled(profile: Profile, session: SessionSettings, *, name: str, started: datetime) -> SessionSettings:
    """The `[session]` of another profile with the values that the variables of this one have.

    Args:
        profile: The profile whose variables count.
        session: The other profile's table.
        name: The profile's name, for `{{profile}}`.
        started: When the session starts, for `{{date}}` and `{{time}}`.
    """
    # Its own texts have their values already, and a value is no text to be filled.
    bare = profile.model_copy(update={"session": session})
    texts = [each for each in TEXTS if each[0] == "session"]
    return _with(bare, lambda: _values(profile, name, started), texts).session


def missing_values(profile: Profile, origins: Origins | None = None) -> list[Problem]:
    """A problem for each required variable without a value.

    Args:
        profile: A valid profile.
        origins: Know where each variable is declared, None where there is no file.
    """
    problems = []
    for name, each in profile.variables.items():
        if each.is_missing:
            whose = f" ({each.description})" if each.description else ""
            hint = f"give --var {name}=… or RT_RUN_VAR_{name.upper()}, and in Python variables={{{name!r}: …}}"
            file, line, column = origins.place(("variables", name)) if origins else Place("variables")
            problem = f"a run has to give a value{whose}"
            problems.append(Problem(file, line, column, f"variables.{name}", problem, hint, code="variable-missing"))
    return problems


def path_values(profile: Profile) -> dict[str, str]:
    """The value of each variable as a part of a file's name: never a folder, a hidden file or too long a name."""
    return {name: file_name(each.default or "") for name, each in profile.variables.items() if not each.secret}


def file_name(value: str) -> str:
    """A text as a part of a file's name."""
    text = _UNSAFE.sub("_", value)
    text = f"_{text[1:]}" if text.startswith((".", "-")) else text
    return text.encode()[:_LONGEST_FILE_NAME].decode(errors="ignore") or "_"


def _values(profile: Profile, name: str, started: datetime) -> dict[str, str]:
    here = started.astimezone()
    built_in = {"date": f"{here:%Y-%m-%d}", "time": f"{here:%H:%M}", "profile": name}
    return built_in | {key: each.default or "" for key, each in profile.variables.items()}


def _with(
    profile: Profile, values: Callable[[], Mapping[str, str]], patterns: Sequence[tuple[str, ...]] = TEXTS
) -> Profile:
    """The profile with its texts filled in; most have no name in them, and then nobody asks for values."""
    known: dict[str, str] = {}

    def value_of(found: re.Match[str]) -> str:
        if not known:
            known.update(values())
        return known.get(found[1], found[0])

    def fill(text: str) -> str:
        return NAMED.sub(value_of, text) if "{{" in text else text

    for pattern in patterns:
        profile = _replaced(profile, pattern, fill)
    return profile


def _replaced(value: Any, pattern: tuple[str, ...], fill: Callable[[str], str]) -> Any:
    """The value with the texts at a key filled in; the very same one where nothing changes."""
    if not pattern:
        return fill(value) if isinstance(value, str) else value
    if isinstance(value, list) and pattern[0] == "*":
        each = [_replaced(one, pattern[1:], fill) for one in value]
        return value if all(new is old for new, old in zip(each, value, strict=True)) else each
    if not isinstance(value, BaseModel) or pattern[0] not in value.__dict__:
        return value
    before = value.__dict__[pattern[0]]
    after = _replaced(before, pattern[1:], fill)
    return value if after is before or after == before else value.model_copy(update={pattern[0]: after})
