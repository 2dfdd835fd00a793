"""Asks the user of a chat whether a call may run."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import anyio

from runner.protocol.severity import plain
from runner.redaction import excerpt

if TYPE_CHECKING:
    from runner.session.approvals import ApprovalRequest

_YES: Final = frozenset({"y", "yes"})
_MOST_CHARACTERS: Final = 2000
_NO: Final = frozenset({"n", "no"})


class ApprovalPrompt:
    """Shares the lines that are typed: those that say yes or no answer the oldest question, the chat gets the others.

    Args:
        say: Shows a line to the user.
        read: Waits for the next line that was typed, None where the user leaves; cancelling it loses none.
    """

    def __init__(self, say: Callable[[str], None], read: Callable[[], Awaitable[str | None]]) -> None:
        self._say = say
        self._read = read
        self._reading = anyio.Lock()
        self._typed: deque[str] = deque()
        self._questions: dict[ApprovalRequest, bool | None] = {}
        self._has_left = False

    async def ask(self, request: ApprovalRequest) -> bool:
        """Ask about a call, and wait for the answer; whoever leaves says no."""
        self._questions[request] = None
        self._say(f"{_shown(request.name)}({_shown(request.arguments)}): may it run? y or n")
        try:
            while self._questions[request] is None and not self._has_left:
                async with self._reading:
                    if self._questions[request] is None and not self._has_left:
                        self._take(await self._read())
            return self._questions[request] is True
        finally:
            del self._questions[request]

    async def next_line(self) -> str | None:
        """The next line that answers no question, None where the user leaves."""
        while not self._typed and not self._has_left:
            async with self._reading:
                if not self._typed and not self._has_left:
                    self._take(await self._read())
        return self._typed.popleft() if self._typed else None

    def _take(self, line: str | None) -> None:
        word = line.strip().lower() if line is not None else ""
        asked = next((each for each, answer in self._questions.items() if answer is None), None)
        if line is None:
            self._has_left = True
        elif asked is not None and word in _YES | _NO:
            self._questions[asked] = word in _YES
        else:
            self._typed.append(line)


def _shown(text: str) -> str:
    """What the model has written, as it may go to a terminal."""
    return plain(excerpt(text, _MOST_CHARACTERS))
