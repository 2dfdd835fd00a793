"""Where each value of a loaded profile came from."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from runner.profile.keys import Key, dotted
from runner.profile.merge import Owners
from runner.profile.problems import Place


class Origin(NamedTuple):
    """Where one value came from: `default`, a file with its line, a variable, or a flag."""

    kind: Literal["default", "file", "environment", "flag", "argument"]
    label: str = "default"
    line: int = 0

    def __str__(self) -> str:
        return f"{self.label}:{self.line}" if self.line else self.label


class Origins:
    """The origins of a profile's values by dotted key, such as `session.audio.output.voice` or `outputs.0.path`."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._by_name = {dotted(key): key for key in owners}

    def __getitem__(self, name: str) -> Origin:
        """The origin of a value; `default` where no source says it."""
        return self.of(self._by_name[name]) if name in self._by_name else Origin("default")

    def __contains__(self, name: str) -> bool:
        return name in self._by_name and bool(name)

    def __iter__(self) -> Iterator[str]:
        return iter(name for name in self._by_name if name)

    def place(self, key: Key) -> Place:
        """Where a value is said, for a problem with it."""
        while key not in self._owners:
            key = key[:-1]
        return self._owners[key].place(key)

    def of(self, key: Key) -> Origin:
        """The origin of a value by its key; what a table leaves out is a default, even where a file says the table."""
        if key not in self._owners:
            return Origin("default")
        layer = self._owners[key]
        if layer.kind == "default":
            return Origin("default")
        place = layer.place(key, "key")
        return Origin(layer.kind, place.file, place.line)
