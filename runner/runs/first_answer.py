"""The first answer of a session that runs until there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from runner.protocol.effects import ResponseEnded
from runner.session.own_request import is_own

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from runner.outputs.playback import Playback
    from runner.session.update import Update


class FirstAnswer:
    """Waits for the first complete answer to what somebody has asked; its steps, and what rt-run asks itself, are none.

    Args:
        came: Called when it is there; it must not wait.
    """

    def __init__(self, came: Callable[[], None]) -> None:
        self._came = came
        self._is_there = anyio.Event()
        self._ignored: Collection[str] = ()

    @property
    def is_there(self) -> bool:
        """Whether it is complete."""
        return self._is_there.is_set()

    def ignore(self, request_ids: Collection[str]) -> None:
        """Take no answer to these requests, which an earlier process has made, for one to what somebody asks now."""
        self._ignored = request_ids

    def take(self, update: Update) -> None:
        """Look for it in an update: a reader of the session."""
        for each in update.effects:
            if isinstance(each, ResponseEnded) and not (each.is_step or self._is_ignored(each.request_id)):
                self._is_there.set()
                self._came()

    def _is_ignored(self, request_id: str) -> bool:
        return is_own(request_id) or request_id in self._ignored

    async def heard(self, playback: Playback | None, ended: Callable[[str], None]) -> None:
        """Call `ended` with the reason once it is complete, and was heard where somebody hears it."""
        await self._is_there.wait()
        if playback:
            await playback.finished()
        ended("response-done")
