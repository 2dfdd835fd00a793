"""The values of a profile's variables: from the environment, from a file and from flags, each a layer."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.profile.keys import redacted
from runner.profile.layers import Layer
from runner.profile.problems import Problem
from runner.profile.read import UnreadableText, read_text
from runner.profile.suggestion import nearest

PREFIX = "RT_RUN_VAR_"
"""How the names of the environment variables begin that give a value."""

Given = Iterator[tuple[str, str, object]]
"""The name of each variable that a source gives, what the source is called there, and the value."""


def from_environment(environ: Mapping[str, str], declared: Collection[str]) -> tuple[Layer, list[Problem]]:
    """The values in `RT_RUN_VAR_…`; one that no variable takes is a problem, for a warning."""
    names = sorted(name for name in environ if name.startswith(PREFIX))
    given = ((name.removeprefix(PREFIX).lower(), name, environ[name]) for name in names)
    return _layer("environment", given, declared, ignored="; ignored")


def from_file(path: Path | None, declared: Collection[str]) -> tuple[Layer, list[Problem]]:
    """The values in a file of one JSON object; numbers and booleans are texts as JSON writes them."""
    label = f"--vars {path}"
    problem = ""
    values: Any = {}
    try:
        values = json.loads(read_text(path)) if path else {}
    except UnreadableText as error:
        problem = str(error)
    except (ValueError, RecursionError):
        problem = "is not JSON"
    if not problem and not isinstance(values, dict):
        problem = "must hold one JSON object, a value for each variable"
    if problem:
        return Layer("flag", {}, Path.cwd()), [Problem(redacted(label), 0, 0, "", problem, code="variables-file")]
    return _layer("flag", ((name, label, value) for name, value in values.items()), declared)


def from_flags(texts: Iterable[str], declared: Collection[str]) -> tuple[Layer, list[Problem]]:
    """The values in `--var NAME=VALUE`; the last for a name counts."""
    problems: list[Problem] = []
    given: list[tuple[str, str, object]] = []
    for text in texts:
        name, equals, value = text.partition("=")
        flag = f"--var {redacted(name)[:100]}"
        if equals:
            given.append((name.strip(), flag, value))
        else:
            problems.append(Problem(flag, 0, 0, "", "must be NAME=VALUE", "such as customer=Ada", code="flag"))
    layer, wrong = _layer("flag", iter(given), declared)
    return layer, [*problems, *wrong]


def from_program(values: Mapping[str, object], declared: Collection[str]) -> tuple[Layer, list[Problem]]:
    """The values that a program gives."""
    return _layer("argument", ((name, "variables", value) for name, value in values.items()), declared)


def text_of(value: object) -> str | None:
    """A value as a text: numbers and booleans as JSON writes them; None where it is neither."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def _layer(kind: Any, given: Given, declared: Collection[str], *, ignored: str = "") -> tuple[Layer, list[Problem]]:
    variables: dict[str, dict[str, str]] = {}
    names: dict[tuple[str, ...], str] = {}
    problems: list[Problem] = []
    for name, source, value in given:
        text = text_of(value)
        if name not in declared:
            problems.append(_undeclared(name, source, declared, ignored))
        elif text is None and value is not None:
            key = f"variables.{name}"
            problems.append(Problem(source, 0, 0, key, "must be a text, a number, or true or false", code="variable"))
        elif text is not None:
            variables[name] = {"default": text}
            names["variables", name, "default"] = source
    return Layer(kind, {"variables": variables} if variables else {}, Path.cwd(), names=names), problems


def _undeclared(name: str, source: str, declared: Collection[str], ignored: str) -> Problem:
    shown = redacted(str(name))[:64]
    near = nearest(str(name), declared)
    hint = f"did you mean {near[0]}?" if near else f"declare it in [variables]: {shown or 'name'} = {{ … }}"
    problem = f"the profile has no variable {shown!r}{ignored}"
    return Problem(redacted(source), 0, 0, "", problem, hint, code="variable-undeclared")
