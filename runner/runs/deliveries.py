"""Brings reports from a spool to their receiver: each at least once, in bounded time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import CancelScope, current_time, sleep, to_thread

from runner import logs
from runner.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from runner.runs.report_spool import ReportSpool
    from runner.runs.webhook import Webhook

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0
_UNREADABLE = "unreadable: "
_OF_ONE_REPORT = (_UNREADABLE, "HTTP 400", "HTTP 413", "HTTP 415", "HTTP 422")
"""What keeps one report from its receiver, and not those that wait behind it."""


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
        """Deliver what waits, the oldest first, up to the first for which the receiver cannot be had.

        Returns:
            How many were delivered, and how many are left.

        Raises:
            OutputError: The spool cannot be read.
        """
        delivered = 0
        with self._spool.alone() as is_alone:
            for path in await to_thread.run_sync(self._spool.waiting) if is_alone else ():
                why = await self._try(path)
                if why:
                    logs.logger().warning("report_undelivered", report=path.stem, to=self._webhook.place, error=why)
                    if not why.startswith(_OF_ONE_REPORT):
                        break
                delivered += why == ""
        left = len(await to_thread.run_sync(self._spool.waiting))
        if delivered:
            logs.logger().info("reports_delivered", reports=delivered, left=left)
        return delivered, left

    async def deliver(self, report_id: str, time: CancelScope, *, within_s: float) -> None:
        """Deliver one report, with as many attempts as the time allows; then it waits in the spool.

        Args:
            report_id: The report.
            time: Whoever cancels it has no more time.
            within_s: How long it may take, in seconds.
        """
        path, why, wait_s = self._spool.folder / f"{report_id}.json", "no time was left", _FIRST_WAIT_S
        time.deadline = current_time() + within_s
        with time:
            while found := await self._try(path):
                why = found
                await sleep(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            return
        hint = f"the next start delivers it, or `rt-run report flush {self._profile}`"
        place = self._webhook.place
        logs.logger().warning("report_undelivered", report=report_id, to=place, error=why, hint=hint)

    async def _try(self, path: Path) -> str | None:
        """Deliver one report once; returns why it was not, nothing where it was, None where another one has."""
        try:
            body = await to_thread.run_sync(self._spool.read, path)
        except OutputError as error:
            return f"{_UNREADABLE}{error.message}"
        if body is None:
            return None
        why = await self._webhook.deliver(path.stem, body)
        if not why:
            self._spool.remove(path)
        return why
