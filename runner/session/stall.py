"""Finds out that an endpoint has gone silent in the middle of an answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runner.errors import EndpointUnreachable

if TYPE_CHECKING:
    from runner.session.link import Link

_LOOKS = 4


class StallDetector:
    """Watches the events of one connection while a response or a transcription is pending.

    It looks a few times in a timeout whether anything has come, so that an event costs nothing more than its time.

    Args:
        link: The connection.
        timeout_s: The longest silence, in seconds.

    Attributes:
        next_s: When to look again, in seconds of the event loop's clock.
    """

    def __init__(self, link: Link, timeout_s: float) -> None:
        self.next_s = math.inf
        self._link = link
        self._timeout_s = timeout_s
        self._heard_at_s = 0.0
        self._silent_since_s = math.inf

    def look(self, now_s: float) -> None:
        """Give the connection up if it has been silent for too long."""
        state = self._link.state
        if not state.awaits_endpoint:
            self.next_s = self._silent_since_s = math.inf
            return
        if state.heard_at_s != self._heard_at_s or self._silent_since_s == math.inf:
            self._heard_at_s, self._silent_since_s = state.heard_at_s, now_s
        if now_s >= self._silent_since_s + self._timeout_s:
            msg = f"nothing came for {self._timeout_s:g} s while an answer was pending"
            self._link.pump.fail(EndpointUnreachable(msg))
        elif now_s >= self.next_s or self.next_s == math.inf:
            self.next_s = now_s + self._timeout_s / _LOOKS
