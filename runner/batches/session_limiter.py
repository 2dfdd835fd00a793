"""How fast the sessions of a batch may begin: so many a minute, and so many tokens a minute, over all its workers."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from runner.connect.changes import Changes

if TYPE_CHECKING:
    from runner.settings.batch_settings import BatchSettings

_MINUTE_S: Final = 60.0


class SessionLimiter(Protocol):
    """Says when a session may begin; one of them holds for all workers, wherever they are."""

    async def begin(self) -> None:
        """Wait until one more session may begin, and count it."""

    async def end(self, tokens: int) -> None:
        """A session that was counted is over, and has used so many tokens."""


class RateWindow:
    """The rates of a batch: what has begun and was used in the last minute. It waits for nothing, and has no clock.

    Sessions begin at even distances, so that no minute has more of them than allowed. What a session uses is known when
    it is over; until then it counts for as much as those before it have used on average.

    Args:
        settings: The rates.
    """

    def __init__(self, settings: BatchSettings) -> None:
        sessions = settings.max_sessions_per_minute
        self._interval_s = _MINUTE_S / sessions if sessions else 0.0
        self._most_tokens = settings.max_tokens_per_minute
        self._next_s = float("-inf")
        self._used: deque[tuple[float, int]] = deque()
        """When sessions have ended in the last minute, and what they had used."""
        self._used_tokens = 0
        self._running = 0
        self._ended = 0
        self._all_tokens = 0

    def delay_s(self, now_s: float) -> float:
        """How long the next session has to wait, in seconds; the end of another one may shorten it."""
        delay_s = max(0.0, self._next_s - now_s)
        if self._most_tokens is None:
            return delay_s
        while self._used and self._used[0][0] <= now_s - _MINUTE_S:
            self._used_tokens -= self._used.popleft()[1]
        expected = (self._running + 1) * (self._all_tokens / self._ended if self._ended else 0.0)
        # A session that alone uses more than a minute may is not kept for ever.
        if self._used_tokens + expected <= self._most_tokens or not (self._used or self._running):
            return delay_s
        return max(delay_s, self._used[0][0] + _MINUTE_S - now_s if self._used else _MINUTE_S)

    def begin(self, now_s: float) -> None:
        """A session begins."""
        self._next_s = max(self._next_s, now_s) + self._interval_s
        self._running += 1

    def end(self, now_s: float, tokens: int) -> None:
        """A session is over, and has used so many tokens."""
        self._running -= 1
        self._ended += 1
        self._all_tokens += tokens
        if self._most_tokens is not None:
            self._used.append((now_s, tokens))
            self._used_tokens += tokens


class LocalLimiter:
    """The limiter of a batch whose rows one process hands out.

    Args:
        settings: The rates.
    """

    def __init__(self, settings: BatchSettings) -> None:
        self._rates = RateWindow(settings)
        self._turn = anyio.Lock(fast_acquire=True)
        self._changes = Changes()

    async def begin(self) -> None:
        """Wait until one more session may begin, and count it; who came first begins first."""
        async with self._turn:
            while delay_s := self._rates.delay_s(anyio.current_time()):
                with anyio.move_on_after(delay_s):
                    await self._changes.next()
            self._rates.begin(anyio.current_time())

    async def end(self, tokens: int) -> None:
        """A session is over, and has used so many tokens."""
        self._rates.end(anyio.current_time(), tokens)
        self._changes.notify()
