"""Which rows a batch has, judged before the first one runs, and which of them have no result yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runner.batches.batch_row import BatchRow
from runner.batches.row_profile import row_problems, told_apart_by_values
from runner.errors import UsageError
from runner.profile.filling import file_name
from runner.redaction import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from runner.batches.batch_row import RowKey
    from runner.batches.rows_file import RowsFile
    from runner.profile.load import LoadedProfile

_MOST_TOLD: Final = 10
_LONGEST_ID: Final = 80


class BatchPlan:
    """The rows that a batch is to run.

    Args:
        rows: The file of rows.
        loaded: The profile.
        limit: How many rows from the first on; all without it.
        repeat: How often each is run.
    """

    def __init__(self, rows: RowsFile, loaded: LoadedProfile, *, limit: int | None = None, repeat: int = 1) -> None:
        self._file = rows
        self._loaded = loaded
        self._limit = limit
        self._repeat = repeat
        self._valued = told_apart_by_values(loaded.profile)

    def check(self, results: Path, done: Mapping[RowKey, str]) -> int:
        """Judge every row, and that the results are those of these rows.

        Args:
            results: The file of results, for messages.
            done: The digest of each row that has a result there.

        Returns:
            How many results there will be.

        Raises:
            UsageError: Rows cannot be run, or the results are another batch's; all of it is told at once.
        """
        digests = {row_id: digest for (row_id, _), digest in done.items()}
        lines: dict[str, int] = {}
        found: dict[tuple[str, str], list[int]] = {}
        planned = 0
        files: dict[tuple[str, ...], int] = {}
        for row in self._file:
            if not isinstance(row, BatchRow):
                found.setdefault((row.problem, row.hint), []).append(row.line)
                continue
            first = lines.setdefault(row.id, row.line)
            for problem in [*self._problems(row, first, results, digests), *self._shared_files(row, files)]:
                found.setdefault(problem, []).append(row.line)
            if self._limit is None or len(lines) <= self._limit:
                planned += sum((row.id, run) not in done for run in range(1, self._repeat + 1))
        if not lines and not found:
            found["there is no row in it", ""] = [0]
        strange = next((row_id for row_id in digests if row_id not in lines), None)
        if strange is not None and not found:
            msg = f"{results} has a result of the row {_shown(strange)}, which {self._file.path} does not have"
            raise UsageError(msg, hint="give each batch a file of results of its own")
        if found:
            raise UsageError(self._told(found))
        return planned + len(done)

    def pending(self, done: Mapping[RowKey, str]) -> Iterator[BatchRow]:
        """The rows without a result, in their order; no more than one is held.

        Raises:
            UsageError: The file has changed since it was judged, and cannot be read any more.
        """
        for number, row in enumerate(self._file):
            if not isinstance(row, BatchRow):
                msg = f"{self._file.path}:{row.line}: {row.problem}; the file has changed"
                raise UsageError(msg, hint="leave it as it is until the batch is over")
            if self._limit is not None and number >= self._limit:
                return
            for run in range(1, self._repeat + 1):
                if (row.id, run) not in done:
                    yield row.again(run)

    def _problems(
        self, row: BatchRow, first: int, results: Path, digests: Mapping[str, str]
    ) -> Iterator[tuple[str, str]]:
        if first != row.line:
            yield f"the id {_shown(row.id)} stands in line {first} already", "every row has an id of its own"
        elif digests.get(row.id, row.digest) != row.digest:
            problem = f"the row says something else than when its result was written to {results}"
            yield problem, "give each batch a file of results of its own"
        elif row.id not in digests:
            yield from row_problems(self._loaded, row)

    def _shared_files(self, row: BatchRow, files: dict[tuple[str, ...], int]) -> Iterator[tuple[str, str]]:
        """A problem for each file that a row before this one writes already; `files` has the rows of all before."""
        for key, names in self._valued:
            usual = self._loaded.profile.variables
            values = [row.variables.get(name, usual[name].default or "") for name in names]
            if files.setdefault((key, *map(file_name, values)), row.line) != row.line:
                yield f"{key}: another row writes the same file", "put {row} into its name"

    def _told(self, found: Mapping[tuple[str, str], list[int]]) -> str:
        """What is wrong, each problem once, at the first line that has it."""
        texts = []
        for (problem, hint), lines in [*found.items()][:_MOST_TOLD]:
            place = f"{self._file.path}:{lines[0]}" if lines[0] else str(self._file.path)
            others = f" (and in {len(lines) - 1} more rows)" if len(lines) > 1 else ""
            texts.append(f"{place}: {problem}{others}" + (f"; {hint}" if hint else ""))
        if len(found) > _MOST_TOLD:
            texts.append(f"{len(found) - _MOST_TOLD} more problems")
        return "\n".join(texts)


def _shown(row_id: str) -> str:
    return repr(excerpt(row_id, _LONGEST_ID))
