"""Lines and columns of what a TOML file says; only for messages and for `rt-run show`."""

import re
from functools import cached_property
from typing import Any

import tomli

from runner.profile.keys import Key, prefixes

Position = tuple[int, int]
"""Line and column, both from 1; columns count characters."""

_HEADER = re.compile(r"""[ \t]*\[{1,2}(?:[^\[\]="'#]|"(?:[^"\\]|\\.)*"|'[^']*')+\]{1,2}[ \t]*(?:#.*)?\Z""")


class Positions:
    """Where the keys, values and table headers of a file stand.

    Args:
        text: TOML that tomli has accepted, nested no deeper than `DEPTH_LIMIT`: toml-rs needs a bound.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._keys: dict[Key, Position] = {}
        self._values: dict[Key, Position] = {}
        self._headers: dict[Key, Position] = {}
        self._inside: set[int] = set()
        import toml_rs  # only messages need it

        try:
            nodes: Any = toml_rs.load_with_metadata(text).meta["nodes"]
        except ValueError:
            return
        self._table(nodes, ())
        self._read_headers()

    def key(self, key: Key) -> Position | None:
        """Where the key stands; for a table, its header or the first key in it."""
        return self._keys.get(key) or self._headers.get(key) or self._below(key)

    def value(self, key: Key) -> Position | None:
        """Where the value stands, or else the key."""
        return self._values.get(key) or self.key(key)

    def table(self, key: Key) -> Position | None:
        """Where the table begins."""
        return self._headers.get(key) or self.value(key)

    def _below(self, key: Key) -> Position | None:
        return self._firsts.get(key) if key else None

    @cached_property
    def _firsts(self) -> dict[Key, Position]:
        """For each table the first place in it."""
        firsts: dict[Key, Position] = {}
        for key, place in {**self._headers, **self._keys}.items():
            for each in prefixes(key):
                firsts[each] = min(place, firsts.get(each, place))
        return firsts

    def _table(self, nodes: dict[str, Any], key: Key) -> None:
        for name, node in nodes.items():
            self._node(node, (*key, name))

    def _node(self, node: Any, key: Key) -> None:
        if not isinstance(node, dict):
            return
        if isinstance(node.get("key_line"), int):
            self._keys[key] = self._position(node["key_line"], node["key_col"])
        elif not _is_value(node):
            self._table(node, key)
            return
        if _is_value(node):
            self._values[key] = self._position(node["value_line"], node["value_col"])
            lines = node["value_line"]
            if isinstance(lines, tuple | list):
                self._inside.update(range(lines[0] + 1, lines[1] + 1))
        value = node.get("value")
        if isinstance(value, dict):
            self._table(value, key)
        elif isinstance(value, list):
            for index, each in enumerate(value):
                self._node(each, (*key, index))

    def _position(self, line: Any, column: Any) -> Position:
        row = line if isinstance(line, int) else line[0]
        byte = column if isinstance(column, int) else column[0]
        text = self._lines[row - 1] if 0 < row <= len(self._lines) else ""
        return row, len(text.encode()[: byte - 1].decode(errors="ignore")) + 1

    def _read_headers(self) -> None:
        counts: dict[Key, int] = {}
        for number, line in enumerate(self._lines, 1):
            if number in self._inside or not _HEADER.match(line.rstrip("\r")):
                continue
            try:
                table: Any = tomli.loads(line)
            except (ValueError, RecursionError):
                continue
            key: Key = ()
            while table:
                if isinstance(table, list):
                    counts[key] = counts.get(key, -1) + 1
                    table = table[0]
                    key = (*key, counts[key])
                else:
                    name, table = next(iter(table.items()))
                    key = (*key, name)
                    if isinstance(table, dict) and key in counts:
                        key = (*key, counts[key])
            self._headers.setdefault(key, (number, len(line) - len(line.lstrip()) + 1))


def _is_value(node: dict[str, Any]) -> bool:
    return isinstance(node.get("value_line"), int | tuple | list) and isinstance(node.get("value_raw"), str)
