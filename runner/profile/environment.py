"""The profile's settings in `RT_RUN_…__…` environment variables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.profile.keys import Key, at, redacted
from runner.profile.layers import Layer
from runner.profile.locate import DIRECTORY_VARIABLE
from runner.profile.problems import Problem, ProfileProblems
from runner.profile.suggestion import MOST_GUESSES, nearest
from runner.profile.variable_layers import PREFIX as VARIABLE_PREFIX

PREFIX = "RT_RUN_"
DELIMITER = "__"


def environment_layer(environ: Mapping[str, str]) -> tuple[Layer, list[Problem]]:
    """Read the settings in the environment; a variable that means no setting gives a warning.

    Raises:
        ProfileProblems: The value of a variable is not UTF-8.
    """
    data: dict[str, Any] = {}
    names: dict[tuple[str, ...], str] = {}
    warnings: list[Problem] = []
    ours = [
        name
        for name in environ
        if name.startswith(PREFIX) and not name.startswith(VARIABLE_PREFIX) and name != DIRECTORY_VARIABLE
    ]
    for name in sorted(ours, key=lambda each: (each.count(DELIMITER), each)):
        key = tuple(name.removeprefix(PREFIX).lower().split(DELIMITER))
        found, value = _value(name, key, _text(name, environ[name]))
        if not found:
            warnings.append(_ignored(name, key, may_guess=len(warnings) < MOST_GUESSES))
        elif place(data, key, value):
            names[key] = name
        else:
            warnings.append(Problem(name, 0, 0, "", "contradicts another variable and is ignored", code="environment"))
    return Layer("environment", data, Path.cwd(), names=names), warnings


def _text(name: str, value: str) -> str:
    """The text of a variable, which is UTF-8 whatever the locale says."""
    try:
        return value.encode(errors="surrogateescape").decode()
    except UnicodeError:
        raise ProfileProblems([Problem(redacted(name), 0, 0, "", "is not UTF-8", code="not-utf8")]) from None


def _value(name: str, key: tuple[str, ...], text: str) -> tuple[bool, Any]:
    """Whether the variable means a setting, and the value that it gives to it."""
    from runner.profile.environment_source import ProfileEnvironment
    from runner.profile.literals import typed
    from runner.profile.model_keys import slot_at

    slot = slot_at(key)
    if slot is None or key == ("extends",):
        return False, None
    value = at(ProfileEnvironment(name, text, prefix=PREFIX, delimiter=DELIMITER)(), key)
    if isinstance(value, str) or value is None:
        value = typed(text, slot, quotes=False)
    return True, value


def place(data: dict[str, Any], key: tuple[str, ...], value: Any) -> bool:
    """Put a value into a tree of tables; False where something other than a table is in the way."""
    table: Any = data
    for part in key[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            return False
    table[key[-1]] = value
    return True


def _ignored(name: str, key: Key, *, may_guess: bool) -> Problem:
    if key == ("extends",):
        return Problem(name, 0, 0, "", "a parent can only be named in a file; ignored", code="environment")
    from runner.profile.model_keys import all_keys

    names = [*(DELIMITER.join(map(str, each)).upper() for each in all_keys()), DIRECTORY_VARIABLE.removeprefix(PREFIX)]
    near = nearest(name.removeprefix(PREFIX), names) if may_guess else []
    hint = f"did you mean {PREFIX}{near[0]}?" if near else "`rt-run show NAME` lists the settings"
    return Problem(redacted(name), 0, 0, "", "no setting has this name; ignored", hint, code="unknown-variable")
