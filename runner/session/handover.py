"""The moment at which a connection takes over a session, and with it another profile where it was opened by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from runner import logs
from runner.session.dialer import CONFIRMATION_S

if TYPE_CHECKING:
    from runner.session.carriage import Carriage
    from runner.session.dialer import Dialer
    from runner.session.link import Link
    from runner.session.outbox import Outbox
    from runner.session.renewal import Renewal


class Handover:
    """Brings a connection up to a session, and has it carry that.

    Args:
        carriage: Where the session is.
        outbox: What goes out of it.
        dialer: Opens its connections.
    """

    def __init__(self, carriage: Carriage, outbox: Outbox, dialer: Dialer) -> None:
        self._carriage = carriage
        self._outbox = outbox
        self._dialer = dialer

    def adopt(self, renewal: Renewal) -> None:
        """Go by another profile from now on."""
        self._dialer.adopt(renewal)
        self._carriage.go_by(self._dialer.providers)
        self._carriage.renewal = None
        renewal.end()

    async def prime(self, successor: Link) -> None:
        """Tell a connection what has come to the session since it was opened."""
        history = self._dialer.providers.settings.history
        await successor.prime(self._dialer.wanted(successor), history, timeout_s=CONFIRMATION_S)

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
        row: dict[str, Any] = {"gap_s": round(gap_s, 3), "items": link.replayed_items}
        if link.forked_id:
            row["forked"] = link.forked_id
        if dropped_bytes:
            row["audio_dropped_bytes"] = dropped_bytes
        logs.logger().info(event, **self._dialer.told(link), **row)
