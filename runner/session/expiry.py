"""When a connection has to be replaced, before the endpoint ends it."""

from __future__ import annotations

import math
from time import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.session.link import Link
    from runner.settings.continuity import Rollover

_LAST_MOMENT_S = 1.0
_QUIET_WITHIN_S = 10.0
"""How long a quiet moment is waited for, where somebody asks for another connection, before turns are held."""


class Expiry:
    """The moments in the life of one connection, in seconds of the event loop's clock; infinite where it has no end.

    Args:
        link: The connection.
        settings: The profile's margin and greatest age.
        now_s: Now, by the same clock.

    Attributes:
        seek_s: From here on, a quiet moment serves to replace it.
        hold_s: From here on, no new turn begins on it.
        cut_s: Here it is replaced, whatever is going on.
        given_s: How long the endpoint lets the connection live.
    """

    def __init__(self, link: Link, settings: Rollover, now_s: float) -> None:
        self.given_s = math.inf
        if link.state.expires_at:
            age_s = now_s - link.opened_s
            self.given_s = age_s + link.state.expires_at - (time() + link.clock_behind_s)
        life_s = min(settings.max_age_s or math.inf, self.given_s)
        margin_s = min(settings.margin_s, life_s / 4)
        end_s = link.opened_s + life_s if margin_s > 0 else math.inf
        self.seek_s = end_s - 2 * margin_s
        self.hold_s = end_s - margin_s
        self.cut_s = end_s - min(_LAST_MOMENT_S, margin_s / 2)

    def hasten(self, asked_s: float) -> None:
        """Seek a quiet moment from this moment on, and hold new turns when there was none for a while."""
        self.seek_s = min(self.seek_s, asked_s)
        self.hold_s = min(self.hold_s, asked_s + _QUIET_WITHIN_S)

    def next_s(self, now_s: float) -> float:
        """The next of these moments, infinite after the last."""
        return next((each for each in (self.seek_s, self.hold_s, self.cut_s) if each > now_s), math.inf)
