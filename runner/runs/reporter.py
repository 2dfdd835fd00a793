"""The report of one run: it follows the session as its journal does, and is written when the run has ended."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from runner import logs
from runner.append_file import finish, not_opened, open_append
from runner.errors import OutputError, RunnerError, reason_of
from runner.journal.record import Record
from runner.journal.report_model import ReportedFailure
from runner.journal.session_report import report_of
from runner.journal.timeline import Timeline
from runner.redaction import redact
from runner.standard_streams import put_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.outputs.journal_writer import JournalWriter
    from runner.protocol.json_fields import JsonObject
    from runner.runs.deliveries import Deliveries
    from runner.runs.report_spool import ReportSpool
    from runner.runs.webhook import Webhook
    from runner.session.session import Session
    from runner.settings.profile import Profile


class Reporter:
    """Keeps what a report says, as a recorder of the session, and passes all of it on to the journal.

    Args:
        profile: The profile, which says where the report goes.
        names: The values of the placeholders in paths.
        facts: What is known of the run when it begins, its ids among them.

    Attributes:
        journal: What keeps the records themselves, None where nothing does.
    """

    def __init__(self, profile: Profile, names: Mapping[str, str], facts: JsonObject) -> None:
        settings = profile.report
        assert settings is not None  # noqa: S101  # a run without [report] has no reporter
        self.journal: JournalWriter | None = None
        self._path = Path(settings.path.format_map(names)) if settings.path else None
        self._webhook: Webhook | None = None
        self._spool: ReportSpool | None = None
        self._deliveries: Deliveries | None = None
        self._kept_id = ""
        """The report that is in the spool."""
        self._delivering = anyio.CancelScope()
        if settings.webhook:
            from runner.runs.deliveries import Deliveries
            from runner.runs.report_spool import ReportSpool
            from runner.runs.webhook import Webhook

            self._webhook = Webhook(settings.webhook)
            self._spool = ReportSpool(settings, facts["profile"], os.environ)
            self._deliveries = Deliveries(self._spool, self._webhook, facts["profile"])
        self._is_priced = profile.run.limits.prices is not None
        self._timeline = Timeline()
        # A run that fails before it has a session is reported too.
        self.note({"type": "session.started", **facts}, epoch=0)

    def received(self, event: JsonObject, *, epoch: int, at_s: float, size_bytes: int) -> None:
        """A server event has come."""
        self._timeline.take(Record(at_s, "in", epoch, event))
        if self.journal:
            self.journal.received(event, epoch=epoch, at_s=at_s, size_bytes=size_bytes)

    def sent(self, event: JsonObject, *, epoch: int) -> None:
        """A client event goes out."""
        at_s = time()
        self._timeline.take(Record(at_s, "out", epoch, event))
        if self.journal:
            self.journal.sent(event, epoch=epoch, at_s=at_s)

    def note(self, event: JsonObject, *, epoch: int) -> None:
        """Something has happened to a connection, or to the session."""
        at_s = time()
        if event["type"] == "session.started":
            self._timeline = Timeline()
        self._timeline.take(Record(at_s, "note", epoch, event))
        if self.journal:
            self.journal.note(event, epoch=epoch, at_s=at_s)

    async def open(self) -> None:
        """Check, before the session connects, that reports can be kept, and that its receiver can be told.

        Raises:
            RunnerError: A file or folder cannot be written, or the secret of the webhook cannot be had.
        """
        if self._path is not None:
            await self._in_thread(partial(self._append, b""))
        if self._spool is not None and self._webhook is not None:
            await self._in_thread(self._spool.check)
            await self._webhook.check()

    async def write(
        self, session: Session | None, reason: str, exit_code: int, error: RunnerError | None, *, within_s: float
    ) -> OutputError | None:
        """Write the report where it is kept until it is delivered; returns what went wrong, which is logged.

        Args:
            session: The run's session, None where it has none.
            reason: Why the run has ended.
            exit_code: Its exit code.
            error: Why it has failed, None where it has not.
            within_s: How long writing may take, in seconds.
        """
        failure = ReportedFailure(message=error.message, code=error.code) if error else None
        cost = session.carriage.cost_here() if session else 0.0 if self._is_priced else None
        report = report_of(self._timeline, exit_code=exit_code, reason=reason, failure=failure, cost=cost)
        body = redact(report.model_dump_json(exclude_none=True)).encode(errors="replace")
        failed: OutputError | None = OutputError(f"the report could not be written within {within_s:g} s")
        with anyio.move_on_after(within_s, shield=True):
            try:
                await self._in_thread(partial(self._keep, report.id, body))
                failed = None
            except OutputError as wrong:
                failed = wrong
        if failed:
            logs.logger().error("report_failed", **failed.facts)
        return failed

    async def deliver_waiting(self) -> None:
        """Deliver what earlier runs have left, beside the session."""
        if self._deliveries is not None:
            try:
                await self._deliveries.flush()
            except OutputError as error:
                logs.logger().warning("reports_unreadable", error=error.message)

    async def deliver(self, *, within_s: float) -> None:
        """Deliver the report, as far as the time allows; what is not delivered waits for the next start."""
        if self._deliveries is not None and self._kept_id:
            await self._deliveries.deliver(self._kept_id, self._delivering, within_s=within_s)

    def leave(self) -> None:
        """Deliver nothing more; what is kept waits for the next start."""
        self._delivering.cancel()

    def _keep(self, report_id: str, body: bytes) -> None:
        """Keep the report in every place that there is for it; raises the first error, once all was tried."""
        failures: list[OutputError] = []
        for keep in (partial(self._put, report_id, body), partial(self._append, body + b"\n")):
            try:
                keep()
            except OutputError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _put(self, report_id: str, body: bytes) -> None:
        if self._spool is not None:
            self._spool.put(report_id, body)
            self._kept_id = report_id

    def _append(self, data: bytes) -> None:
        """Append one line in one piece, so that many sessions may have one file."""
        if self._path is None:
            return
        try:
            file = open_append(self._path)
        except (OSError, ValueError) as error:
            raise not_opened(f"the report {self._path}", error) from None
        try:
            put_all(file, data)
            finish(file)
        except OSError as error:
            file.close()
            msg = f"the report {self._path} cannot be written: {reason_of(error)}"
            raise OutputError(msg) from None

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
