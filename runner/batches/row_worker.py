"""Who runs rows, as the one who hands them out knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runner.batches.batch_result import RowError
from runner.errors import RunnerError
from runner.outputs.text import shown

if TYPE_CHECKING:
    from runner.batches.batch_result import BatchResult
    from runner.batches.batch_row import BatchRow


class RowWorker(Protocol):
    """Runs rows, wherever it does that: in this process, in another one, on another machine."""

    async def run(self, row: BatchRow) -> BatchResult:
        """Run one row, several of them at once; returns its result, whether it has succeeded or failed.

        It never tries a row twice by itself. A row that is cancelled has no result.

        Raises:
            WorkerLost: What was to run it is gone, and may have begun.
        """


class WorkerLost(RunnerError):
    """What was to run a row is gone, and may have begun."""

    exit_code = 75


def row_error(error: RunnerError) -> RowError:
    """An error as a result has it."""
    # An endpoint may cut its words between the halves of a character.
    return RowError(**{name: shown(getattr(error, name), terminal=False) for name in RowError.model_fields})
