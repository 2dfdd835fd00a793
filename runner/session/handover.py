"""The moment at which a connection takes over a session, and with it another profile where it was opened by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from runner import logs
from runner.session.dialer import CONFIRMATION_S

if TYPE_CHECKING:
    from runner.session.carriage import Carriage
    from runner.session.dialer import Dialer
    from runner.session.link import Link
    from runner.session.outbox import Outbox
    from runner.session.renewal import Renewal
    from runner.settings.run_settings import RunSettings


class Handover:
    """Brings a connection up to a session, and has it carry that.

    Args:
        settings: What the session goes by.
        carriage: Where it is.
        outbox: What goes out of it.
        dialer: Opens its connections.

    Attributes:
        settings: As above, by its latest profile.
    """

    def __init__(self, settings: RunSettings, carriage: Carriage, outbox: Outbox, dialer: Dialer) -> None:
        self.settings = settings
        self._carriage = carriage
        self._outbox = outbox
        self._dialer = dialer

    def adopt(self, renewal: Renewal) -> None:
        """Go by another profile from now on."""
        self.settings = renewal.profile.run
        self._dialer.adopt(renewal)
        self._carriage.renewal = None
        renewal.end()

    async def prime(self, successor: Link) -> None:
        """Tell a connection what has come to the session since it was opened."""
        renewed = successor.renewal.asked if successor.renewal else None
        wanted = self._carriage.state.configuration.wanted if renewed is None else renewed
        await successor.prime(wanted, self.settings.history, timeout_s=CONFIRMATION_S)

    async def carry(self, link: Link, event: str, *, since_s: float | None = None) -> None:
        """Have a connection that knows of the conversation carry the session.

        Args:
            link: The connection.
            event: What the log calls it.
            since_s: Since when no connection did, on the event loop's clock, in seconds; None where one did.
        """
        if not self._carriage.carry(link):
            link.release()
            return
        if link.renewal and link.renewal is self._carriage.renewal:
            self.adopt(link.renewal)
        dropped_bytes = await self._outbox.flush()
        gap_s = 0.0 if since_s is None else anyio.current_time() - since_s
        dropped = {"audio_dropped_bytes": dropped_bytes} if dropped_bytes else {}
        logs.logger().info(event, epoch=link.epoch, gap_s=round(gap_s, 3), items=link.replayed_items, **dropped)
