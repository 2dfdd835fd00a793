"""When to ping a peer, and when its silence means that it is lost."""

import math
from collections.abc import Awaitable, Callable

import anyio

_ATTENTION_S = 5.0
_GRACE_S = 0.05


class Keepalive:
    """The pings of one connection; whatever comes from the peer is an answer.

    The wait for an answer begins when a ping goes out: a large message of our own may hold it up for longer.

    Args:
        interval_s: Time between two pings, None for none.
        timeout_s: Silence after a ping that means a lost peer, None for any.
        attend: Reads what comes until a moment of anyio's clock.
        ping: Has a ping written soon.
    """

    def __init__(
        self,
        interval_s: float | None,
        timeout_s: float | None,
        *,
        attend: Callable[[float], Awaitable[None]],
        ping: Callable[[], None],
    ) -> None:
        self._interval_s = interval_s or math.inf
        self.timeout_s = timeout_s or math.inf
        self._attend = attend
        self._ping = ping
        self._look_at_s = self._lost_at_s = math.inf

    def heard(self) -> None:
        """The peer lives."""
        self._look_at_s = self._lost_at_s = math.inf

    def sent(self) -> None:
        """A ping goes out now; one that is unanswered already keeps its time."""
        self._lost_at_s = min(self._lost_at_s, anyio.current_time() + self.timeout_s)

    async def until_silence(self) -> float:
        """Ping at the interval until the peer has not answered in time; returns that time in seconds."""
        ping_at_s = anyio.current_time() + self._interval_s
        while True:
            soon_s = anyio.current_time() + _ATTENTION_S
            await self._attend(min(ping_at_s, self._look_at_s, self._lost_at_s, soon_s))
            now_s = anyio.current_time()
            if now_s >= self._lost_at_s:
                # After a stall of this process the answer may be here already, unread.
                await self._attend(now_s + _GRACE_S)
                if now_s >= self._lost_at_s:
                    return self.timeout_s
            elif now_s >= ping_at_s:
                ping_at_s, self._look_at_s = now_s + self._interval_s, now_s + self.timeout_s
                self._ping()
            elif now_s >= self._look_at_s:
                self._look_at_s = math.inf
