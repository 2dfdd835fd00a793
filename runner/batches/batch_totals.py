"""What the rows of a batch come to: counts, cost, usage and latencies; it grows by a few numbers a row."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.batches.batch_result import BatchResult

PERCENTILES: Final = (50, 95, 99)
_MOST_REASONS: Final = 1000


class BatchTotals:
    """What the rows of a batch come to, those of its earlier runs included.

    Args:
        rows: How many there are.

    Attributes:
        rows: As above.
        succeeded: How many have succeeded.
        failed: How many have failed for good.
        cost: What they have cost, 0 where nothing has a price.
        has_cost: Whether anything has a price.
    """

    def __init__(self, rows: int = 0) -> None:
        self.rows = rows
        self.succeeded = 0
        self.failed = 0
        self.cost = 0.0
        self.has_cost = False
        self._usage: Counter[str] = Counter()
        self._times: dict[str, array[float]] = {name: array("f") for name in ("duration_s", "opened_ms", "first_ms")}
        self._failures: Counter[str] = Counter()
        self._obstacles: Counter[str] = Counter()

    @property
    def done(self) -> int:
        """How many rows have a result."""
        return self.succeeded + self.failed

    @property
    def left(self) -> int:
        """How many rows have none."""
        return max(0, self.rows - self.done)

    def take(self, result: BatchResult) -> None:
        """Add a result, whose cost `spend` adds."""
        for name, amount in result.usage.items():
            self._usage[name] += amount  # type: ignore[assignment]  # a counter of seconds, too
        if result.status == "failed":
            self.failed += 1
            _count(self._failures, result)
            return
        self.succeeded += 1
        # A failure says nothing of how long things take.
        latencies = result.latencies
        for name, value in (
            ("duration_s", result.duration_s),
            ("opened_ms", latencies.opened_ms),
            ("first_ms", latencies.first_ms),
        ):
            if value is not None:
                self._times[name].append(value)

    def spend(self, result: BatchResult) -> None:
        """Add what a result has cost."""
        if result.cost is not None:
            self.cost += result.cost
            self.has_cost = True

    def leave(self, result: BatchResult) -> None:
        """Note why a row could not begin, which is left."""
        _count(self._obstacles, result)

    def obstacles(self) -> list[tuple[str, int]]:
        """Why rows could not begin, as `failures` has it."""
        return self._obstacles.most_common()

    def failures(self) -> list[tuple[str, int]]:
        """Why rows have failed, each reason with how many, the most frequent first."""
        return self._failures.most_common()

    def summary(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        percentiles = {name: percentiles_of(values) for name, values in self._times.items() if values}
        return {
            "rows": self.rows,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "left": self.left,
            **({"cost": round(self.cost, 6)} if self.has_cost else {}),
            "usage": {name: round(amount, 3) for name, amount in self._usage.items()},
            **percentiles,
        }


def _count(reasons: Counter[str], result: BatchResult) -> None:
    message = result.error.message if result.error else result.reason
    if message in reasons or len(reasons) < _MOST_REASONS:
        reasons[message] += 1


def percentiles_of(values: Sequence[float]) -> dict[str, float]:
    """The percentiles of at least one value, by their names: the least that so many of them do not exceed."""
    ordered = sorted(values)
    last = len(ordered) - 1
    places = {f"p{each}": min(last, max(0, -(-each * len(ordered) // 100) - 1)) for each in PERCENTILES}
    return {name: round(ordered[place], 3) for name, place in places.items()} | {"max": round(ordered[last], 3)}
