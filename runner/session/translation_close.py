"""The end of a translation: the endpoint has still to interpret what the user said last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from runner import logs
from runner.api.session_types import TRANSLATION_CLOSE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.connect.changes import Changes
    from runner.protocol.state import SessionState

SILENCE_S: Final = 5.0
"""An endpoint that says nothing for this long has no more to say, in seconds."""
MOST_S: Final = 120.0
"""However much it says, it may take this long, in seconds."""

_LOOK_S: Final = 0.5


class TranslationClose:
    """Has the endpoint finish a translation before its connection is closed.

    Args:
        state: What is known of the session on this connection.
        changes: Notified of everything but pieces of answers.
        send: Sends client events on it.
    """

    def __init__(self, state: SessionState, changes: Changes, send: Callable[..., Awaitable[object]]) -> None:
        self._state = state
        self._changes = changes
        self._send = send
        self._is_wanted = state.kind == "translation"

    async def finish(self, by_s: float) -> None:
        """Send `session.close`, once, and wait until the endpoint is done or silent too long; raises as `send` does.

        Args:
            by_s: When to do without the rest, on the event loop's clock, in seconds.
        """
        if not self._is_wanted or self._state.phase != "ready" or self._state.is_over:
            return
        with anyio.CancelScope(deadline=by_s):
            if not self._state.translation.is_leaving:
                await self._send({"type": TRANSLATION_CLOSE})
            await self._silence()
        self._is_wanted = False

    async def _silence(self) -> None:
        state = self._state
        started_s = silent_since_s = anyio.current_time()
        awaited_at_s = state.awaited_at_s
        while state.is_pending and anyio.current_time() < min(started_s + MOST_S, silent_since_s + SILENCE_S):
            with anyio.move_on_after(min(_LOOK_S, SILENCE_S)):
                await self._changes.next()
            if state.awaited_at_s != awaited_at_s:
                awaited_at_s, silent_since_s = state.awaited_at_s, anyio.current_time()
        if state.is_pending:
            logs.logger().warning("last_words_missing", waited_s=round(anyio.current_time() - started_s, 3))
