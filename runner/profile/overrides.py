"""The profile's settings in `--set KEY=VALUE` flags."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runner.profile.environment import place
from runner.profile.keys import dotted, redacted, split
from runner.profile.layers import Layer
from runner.profile.problems import Problem


def override_layer(sets: Iterable[str]) -> tuple[Layer, list[Problem]]:
    """Read the flags in their order; returns their settings and the problems of the flags themselves."""
    data: dict[str, Any] = {}
    names: dict[tuple[str, ...], str] = {}
    problems: list[Problem] = []
    for text in sets:
        name, equals, value = text.partition("=")
        flag = f"--set {redacted(name)[:100]}"
        try:
            key = split(name.strip())
        except ValueError:
            key = ()
        if not equals or not key:
            problems.append(Problem(flag, 0, 0, "", "must be KEY=VALUE", "such as run.grace_s=5", code="flag"))
        elif key == ("extends",):
            problems.append(Problem(flag, 0, 0, "", "a parent can only be named in a file", code="flag"))
        elif place(data, key, _value(key, value)):
            names[key] = f"--set {dotted(key)}"
        else:
            problems.append(Problem(flag, 0, 0, dotted(key), "contradicts another --set", code="flag"))
    return Layer("flag", data, Path.cwd(), names=names), problems


def _value(key: tuple[str, ...], text: str) -> Any:
    from runner.profile.literals import typed
    from runner.profile.model_keys import slot_at

    return typed(text, slot_at(key), quotes=True)
