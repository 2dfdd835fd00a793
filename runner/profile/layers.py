"""Layers of a profile: the files, the environment and the flags that each say a part of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runner.profile.builtin_profiles import is_builtin
from runner.profile.keys import Key
from runner.profile.problems import Place

if TYPE_CHECKING:
    from runner.profile.positions import Positions


@dataclass(frozen=True)
class Layer:
    """One source of values; a later layer wins over an earlier one."""

    kind: Literal["default", "file", "environment", "flag", "argument"]
    data: dict[str, Any]
    folder: Path
    """What relative paths start from."""
    path: Path | None = None
    text: str = ""
    names: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    """For each value the variable or flag that says it, where the layer is not a file."""

    @cached_property
    def label(self) -> str:
        """The file as people know it: relative to where they are, if it is below."""
        return shown(self.path) if self.path else self.kind

    @cached_property
    def positions(self) -> "Positions":
        """Where everything stands; read on demand, because a profile without problems needs no places."""
        from runner.profile.positions import Positions

        return Positions(self.text)

    def place(self, key: Key, part: Literal["key", "value", "table"] = "value") -> Place:
        """Where a key, its value, or the table at it is said; the nearest table where the key itself is missing."""
        if self.path:
            found = getattr(self.positions, part)(key)
            while found is None and key:
                key = key[:-1]
                found = self.positions.table(key)
            return Place(self.label, *(found or (1, 1)))
        words = tuple(map(str, key))
        for length in range(len(words), 0, -1):
            if words[:length] in self.names:
                return Place(self.names[words[:length]])
        below = (name for each, name in self.names.items() if each[: len(words)] == words)
        return Place(next(below, self.label))


def shown(path: Path) -> str:
    """The path relative to the working directory, if it is below it; a built-in profile without its folder."""
    if is_builtin(path):
        return f"<built-in>/{path.name}"
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return os.fspath(path)
