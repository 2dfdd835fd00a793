"""The names under which the model is offered the tools of MCP servers."""

import re
from typing import Final

_LONGEST: Final = 64
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")


class McpNames:
    """Gives each tool one name, which it keeps for the session: its own, or with its server's before it.

    Args:
        taken: The names of other tools.

    Attributes:
        edition: How often names were taken away again.
    """

    def __init__(self, taken: set[str]) -> None:
        self.edition = 0
        self._taken = set(taken)
        self._given: dict[tuple[str, str], str] = {}

    def name_of(self, server: str, tool: str) -> str:
        """The name of a server's tool, with `_` for what the API does not take in one."""
        key = (server, tool)
        if key not in self._given:
            own = _OTHER.sub("_", tool) or "_"
            self._given[key] = self._free(own[:_LONGEST], f"{server}_{own}"[:_LONGEST])
            self._taken.add(self._given[key])
        return self._given[key]

    def reserve(self, taken: set[str]) -> None:
        """Take other names for those of other tools from now on; a tool that has one of them gets another."""
        kept = {key: name for key, name in self._given.items() if name not in taken}
        self.edition += len(kept) < len(self._given)
        self._given = kept
        self._taken = {*taken, *kept.values()}

    def _free(self, own: str, prefixed: str) -> str:
        number, name = 1, own if own not in self._taken else prefixed
        while name in self._taken:
            number += 1
            name = f"{prefixed[: _LONGEST - len(str(number)) - 1]}_{number}"
        return name
