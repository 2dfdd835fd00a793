"""Finds out that an endpoint brings nothing more of an answer that is pending, whatever else it sends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runner.errors import EndpointUnreachable, ProtocolError

if TYPE_CHECKING:
    from runner.session.link import Link

DOUBT_S = 5.0
"""How long a request is waited for that an error without a name may have refused, in seconds."""

_LOOKS = 4


class StallDetector:
    """Watches what comes of the response or the transcription that is pending on one connection.

    It looks a few times in a timeout whether anything of it has come, so that an event costs
    nothing more than its time.

    Args:
        link: The connection.
        timeout_s: How long nothing of it may come, in seconds.

    Attributes:
        next_s: When to look again, in seconds of the event loop's clock.
    """

    def __init__(self, link: Link, timeout_s: float) -> None:
        self.next_s = math.inf
        self._link = link
        self._timeout_s = timeout_s
        self._awaited_at_s = 0.0
        self._silent_since_s = math.inf

    def look(self, now_s: float) -> None:
        """Give the connection up if nothing of what is pending has come for too long."""
        state = self._link.state
        if not state.awaits_endpoint:
            self.next_s = self._silent_since_s = math.inf
            return
        if state.awaited_at_s != self._awaited_at_s or self._silent_since_s == math.inf:
            self._awaited_at_s, self._silent_since_s = state.awaited_at_s, now_s
        timeout_s = min(self._timeout_s, DOUBT_S) if state.pending.is_doubted else self._timeout_s
        if now_s >= self._silent_since_s + timeout_s:
            self._end(is_doubted=state.pending.is_doubted)
        elif now_s >= self.next_s or self.next_s >= now_s + timeout_s:
            self.next_s = now_s + timeout_s / _LOOKS

    @property
    def _is_mute(self) -> bool:
        """Whether not even silence comes of a Live session that has sent it."""
        state = self._link.state
        return state.live.sends_silence and state.clock() - state.live.audio_at_s >= self._timeout_s

    def _end(self, *, is_doubted: bool) -> None:
        msg = f"nothing came of a pending answer for {self._timeout_s:g} s"
        if is_doubted:
            self._silent_since_s = math.inf
            self._link.pump.refuse_doubted()
        elif self._link.state.kind == "live" and not self._is_mute:
            # The model is free not to answer; the session serves whoever speaks to it.
            self._silent_since_s = math.inf
            self._link.pump.refuse_unanswered(ProtocolError(msg))
        else:
            self._link.pump.fail(EndpointUnreachable(msg))
