"""When to ping a peer, and when its silence means that it is lost."""

import math
from collections.abc import Awaitable, Callable

import anyio

_GRACE_S = 0.05


class Keepalive:
    """The pings of one connection; any bytes that come from the peer count as an answer.

    Args:
        interval_s: Time between two pings, None for none.
        timeout_s: Silence after a ping that means a lost peer, None for any.
    """

    __slots__ = ("_interval_s", "_lost_at_s", "_ping_at_s", "timeout_s")

    def __init__(self, interval_s: float | None, timeout_s: float | None) -> None:
        self._interval_s = interval_s or math.inf
        self.timeout_s = timeout_s or math.inf
        self._lost_at_s = self._ping_at_s = math.inf

    def overdue_s(self, now_s: float) -> float:
        """For how long a ping, or the end of a connection that is silent, has been due and has not come, in seconds."""
        return max(0.0, now_s - min(self._lost_at_s, self._ping_at_s))

    def heard(self) -> None:
        """The peer has sent something, so it lives."""
        self._lost_at_s = math.inf

    async def until_silence(self, ping: Callable[[], Awaitable[None]]) -> float:
        """Ping at the interval until the peer has not answered in time; returns that time in seconds.

        Args:
            ping: Sends a ping, after what has to go out before it; the wait for an answer begins when it returns.
        """
        self._ping_at_s = anyio.current_time() + self._interval_s
        while True:
            await anyio.sleep_until(min(self._ping_at_s, self._lost_at_s))
            now_s = anyio.current_time()
            if now_s >= self._lost_at_s:
                # After a stall of this process the answer may be here already, unread.
                await anyio.sleep(_GRACE_S)
                if now_s >= self._lost_at_s:
                    return self.timeout_s
            elif now_s >= self._ping_at_s:
                await ping()
                # An earlier ping that is still unanswered keeps its limit.
                self._lost_at_s = min(self._lost_at_s, anyio.current_time() + self.timeout_s)
                self._ping_at_s = anyio.current_time() + self._interval_s
