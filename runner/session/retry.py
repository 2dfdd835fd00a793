"""Retries the responses that failed for a reason that may pass, or were lost with a connection."""

from __future__ import annotations

import math
import random
from contextlib import suppress
from typing import TYPE_CHECKING

from runner import logs
from runner.errors import IllegalEvent
from runner.session.backoff import bound_s
from runner.session.link import NotSent

if TYPE_CHECKING:
    from runner.protocol.request import Request
    from runner.session.link import Link
    from runner.settings.continuity import Reconnect


class Retry:
    """Sends the requests to be retried on one connection, one after another.

    Args:
        link: The connection.
        settings: The bounds of the back-off after a failure.

    Attributes:
        next_s: When to look again, in seconds of the event loop's clock.
    """

    def __init__(self, link: Link, settings: Reconnect) -> None:
        self.next_s = math.inf
        self._link = link
        self._settings = settings
        self._asked: Request | None = None
        self._inherited = link.state.retries
        """What an earlier connection left: it has waited for this one already."""

    async def look(self, now_s: float) -> bool:
        """Send the first request to be retried, if its time has come and nothing is in its way.

        Returns:
            Whether it tried: what changed meanwhile has woken no task that waits for this.
        """
        state = self._link.state
        asked = next(iter(state.retries), None)
        if asked is None or (asked.kind == "response" and state.occupied):
            self.next_s, self._asked = math.inf, None
            return False
        if asked is not self._asked:
            self._asked, self.next_s = asked, now_s + self._delay_s(asked, now_s)
        if now_s < self.next_s:
            return False
        self.next_s, self._asked = math.inf, None
        logs.logger().info("response_retried", failures=asked.failures, epoch=self._link.epoch)
        # Where the connection is lost, or turn detection was first, the request is still to be retried.
        with suppress(NotSent, IllegalEvent):
            await self._link.send(asked.event)
        return True

    def _delay_s(self, asked: Request, now_s: float) -> float:
        wait_s = self._link.state.rate_limits.wait_s(now_s)
        if asked in self._inherited:
            return wait_s
        longest_s = bound_s(self._settings, max(asked.failures, asked.overtaken))
        return max(wait_s, random.uniform(longest_s / 2, longest_s))  # noqa: S311  # spreads clients, hides nothing
