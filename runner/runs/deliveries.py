"""Brings reports from a spool to their receiver: each at least once, in bounded time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from runner import logs

if TYPE_CHECKING:
    from runner.runs.report_spool import ReportSpool
    from runner.runs.webhook import Webhook

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0


class Deliveries:
    """The reports of one profile on their way to the webhook; what was acknowledged leaves the spool.

    Args:
        spool: Where they wait.
        webhook: Where they go.
        profile: The profile's name, for those who have to flush by hand.
    """

    def __init__(self, spool: ReportSpool, webhook: Webhook, profile: str) -> None:
        self._spool = spool
        self._webhook = webhook
        self._profile = profile

    async def flush(self) -> tuple[int, int]:
        """Deliver what waits, the oldest first, up to the first that cannot be; returns how many were, and are left."""
        delivered = 0
        with self._spool.alone() as is_alone:
            for path in await to_thread.run_sync(self._spool.waiting) if is_alone else ():
                body = await to_thread.run_sync(self._spool.read, path)
                if body is None:
                    continue
                if why := await self._webhook.deliver(path.stem, body):
                    logs.logger().warning("report_undelivered", report=path.stem, to=self._webhook.place, error=why)
                    break
                self._spool.remove(path)
                delivered += 1
        left = len(await to_thread.run_sync(self._spool.waiting))
        if delivered:
            logs.logger().info("reports_delivered", reports=delivered, left=left)
        return delivered, left

    async def deliver(self, report_id: str, *, within_s: float) -> None:
        """Deliver one report, with as many attempts as the time allows; then it waits in the spool."""
        path, why, wait_s = self._spool.folder / f"{report_id}.json", "no time was left", _FIRST_WAIT_S
        with anyio.move_on_after(within_s):
            while (body := await to_thread.run_sync(self._spool.read, path)) is not None:
                why = await self._webhook.deliver(report_id, body)
                if not why:
                    self._spool.remove(path)
                    return
                await anyio.sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            return
        hint = f"the next start delivers it, or `rt-run report flush {self._profile}`"
        place = self._webhook.place
        logs.logger().warning("report_undelivered", report=report_id, to=place, error=why, hint=hint)
