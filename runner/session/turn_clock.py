"""The end of turns that only silence ends: a Live session says when somebody speaks, and not when he has spoken."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from runner import logs

if TYPE_CHECKING:
    from runner.session.carriage import Carriage


class TurnClock:
    """Ends the turns of a Live session, on whatever connection carries it, once nothing has come of them for a pause.

    Args:
        carriage: Where the session is.
    """

    def __init__(self, carriage: Carriage) -> None:
        self._carriage = carriage

    async def run(self) -> None:
        """End turns until the session is over."""
        carriage = self._carriage
        logs.bind(session_id=carriage.id)
        while not carriage.is_over:
            link = carriage.link
            # The beginning of a turn wakes this task, and what goes on with it only makes it wake too early.
            now_s = anyio.current_time()
            due_s = math.inf if link is None or link.pump.is_over else link.state.live.due_s(now_s)
            if link is not None and now_s >= due_s:
                link.pump.end_silent_turns()
                await anyio.lowlevel.checkpoint()
                continue
            with anyio.CancelScope(deadline=due_s):
                await carriage.changes.next()
