"""The names under which the model is offered the tools of MCP servers."""

import re
from typing import Final

_LONGEST: Final = 64
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")


class McpNames:
    """Gives each tool one name, which it keeps for the session: its own, or with its server's before it.

    Args:
        taken: The names of other tools.
    """

    def __init__(self, taken: set[str]) -> None:
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

    def _free(self, own: str, prefixed: str) -> str:
        number, name = 1, own if own not in self._taken else prefixed
        while name in self._taken:
            number += 1
            name = f"{prefixed[: _LONGEST - len(str(number)) - 1]}_{number}"
        return name
