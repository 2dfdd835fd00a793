"""Runs rows in this process: each is one session, and what has become of it is its result."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio

from runner import logs
from runner.batches.batch_result import BatchResult
from runner.batches.row_profile import row_profile
from runner.batches.row_turns import RowTurns, latencies_of_turns, text_of_turns
from runner.batches.row_worker import row_error
from runner.errors import RunnerError
from runner.runs.life_cycle import Phase
from runner.runs.lone_run import lone_shared
from runner.runs.open_files import allow_sessions
from runner.runs.run_facts import facts_of
from runner.runs.session_run import SessionRun
from runner.settings.batch_settings import BatchSettings

if TYPE_CHECKING:
    from runner.batches.batch_row import BatchRow
    from runner.profile.load import LoadedProfile

_OPENING_AT_ONCE = 50


class LocalWorker:
    """Runs rows in this process.

    Args:
        loaded: The batch's profile; its secrets are resolved here.
    """

    def __init__(self, loaded: LoadedProfile) -> None:
        self._loaded = loaded
        self._shared = lone_shared(slots=anyio.Semaphore(_OPENING_AT_ONCE, fast_acquire=True), keeps_words=True)
        settings = loaded.profile.batch or BatchSettings()
        allow_sessions(loaded.profile, settings.concurrency)

    async def run(self, row: BatchRow) -> BatchResult:
        """Run one row; it never raises `WorkerLost`."""
        started, started_s = datetime.now(UTC), anyio.current_time()
        with logs.bound(row=row.id):
            try:
                run, turns, opened_s = self._made(row)
            except RunnerError as error:
                return _result(row, self._loaded.name, started, duration_s=0.0, error=error)
            outcome = await run.execute()
        said = turns.turns()
        opened_ms = round((opened_s[0] - started_s) * 1000) if opened_s else None
        usage, cost = (run.session.usage, run.session.carriage.cost()) if run.session else (None, None)
        return _result(
            row,
            self._loaded.name,
            started,
            exit_code=outcome.exit_code,
            error=outcome.error,
            reason=outcome.reason,
            duration_s=round(anyio.current_time() - started_s, 3),
            run_id=outcome.run_id,
            session_id=outcome.session_id,
            turns=said,
            text=text_of_turns(said),
            latencies=latencies_of_turns(said, opened_ms),
            usage=usage.as_log() if usage else {},
            cost=None if cost is None else round(cost, 6),
            files=facts_of(run.profile, run.names).get("files", {}),
        )

    def _made(self, row: BatchRow) -> tuple[SessionRun, RowTurns, list[float]]:
        """The run of a row, what keeps its turns, and the moment at which its session will be open."""
        turns, opened_s = RowTurns(), list[float]()

        def note(_left: Phase, entered: Phase) -> None:
            if entered is Phase.LIVE:
                opened_s.append(anyio.current_time())

        shared = replace(self._shared, row=row.name)
        run = SessionRun(row_profile(self._loaded, row), row.line, shared, note)
        run.readers.append(turns.read)
        return run, turns, opened_s


def _result(
    row: BatchRow,
    profile: str,
    started: datetime,
    *,
    error: RunnerError | None,
    exit_code: int | None = None,
    **known: Any,
) -> BatchResult:
    """The result of a row, whose exit code is that of its error where nothing else is said."""
    code = exit_code if exit_code is not None else error.exit_code if error else 0
    return BatchResult(
        id=row.id,
        run=row.run,
        digest=row.digest,
        profile=profile,
        status="failed" if code else "succeeded",
        exit_code=code,
        error=row_error(error) if error else None,
        started_at=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        **{"reason": "failed", **known},
    )
