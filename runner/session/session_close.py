"""The end of a session that the endpoint has to finish: what was said last is interpreted, or the bill is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from runner import logs
from runner.api.session_types import SESSION_CLOSE

if TYPE_CHECKING:
    from runner.connect.changes import Changes
    from runner.protocol.state import SessionState
    from runner.session.client_event import Send

SILENCE_S: Final = 5.0
"""A translation that says nothing for this long has no more to say, in seconds."""
MOST_S: Final = 120.0
"""However much a translation says, it may take this long, in seconds."""
LIVE_S: Final = 12.0
"""How long the endpoint may take to finish a Live session, which sounds all the time, in seconds."""

_LOOK_S: Final = 0.5


class OrderlyClose:
    """Has the endpoint finish a translation or a Live session before its connection is closed.

    Args:
        state: What is known of the session on this connection.
        changes: Notified of everything but pieces of answers.
    """

    def __init__(self, state: SessionState, changes: Changes) -> None:
        self._state = state
        self._changes = changes
        self._is_wanted = state.kind in {"translation", "live"}

    async def finish(self, send: Send, by_s: float) -> None:
        """Send `session.close`, once, and wait until the endpoint is done or silent too long; raises as `send` does.

        Args:
            send: Sends client events on the connection.
            by_s: When to do without the rest, on the event loop's clock, in seconds.
        """
        if not self._is_wanted or self._state.phase != "ready" or self._state.is_over:
            return
        with anyio.CancelScope(deadline=by_s):
            if not self._state.closing.is_asked:
                await send({"type": SESSION_CLOSE})
            await self._silence()
        self._is_wanted = False

    async def _silence(self) -> None:
        state = self._state
        silence_s, most_s = (LIVE_S, LIVE_S) if state.kind == "live" else (SILENCE_S, MOST_S)
        started_s = silent_since_s = anyio.current_time()
        awaited_at_s = state.awaited_at_s
        while (
            state.is_pending
            and not state.is_over
            and anyio.current_time() < min(started_s + most_s, silent_since_s + silence_s)
        ):
            with anyio.move_on_after(min(_LOOK_S, silence_s)):
                await self._changes.next()
            if state.awaited_at_s != awaited_at_s:
                awaited_at_s, silent_since_s = state.awaited_at_s, anyio.current_time()
        if state.is_pending and not state.is_over:
            logs.logger().warning("last_words_missing", waited_s=round(anyio.current_time() - started_s, 3))
