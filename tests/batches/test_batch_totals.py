"""What rows come to: counts, cost, usage, latencies and reasons."""

import pytest

from runner.batches.batch_result import BatchResult
from runner.batches.batch_totals import BatchTotals, percentiles_of
from runner.cli.batch_progress import ProgressPace, progress_text, time_text
from runner.cli.batch_summary import summary_lines


def result(number: int) -> BatchResult:
    """The result of one of a hundred rows, of which every tenth fails."""
    failed = number % 10 == 0
    told = {
        "id": str(number),
        "digest": "",
        "profile": "p",
        "status": "failed" if failed else "succeeded",
        "exit_code": 74 if failed else 0,
        "error": {"message": f"reason {number % 20}"} if failed else None,
        "usage": {"input_tokens": 10, "transcription_s": 0.5},
        "cost": 0.01,
        "latencies": {"opened_ms": number, "first_ms": None if number % 2 else number},
        "started_at": "",
        "duration_s": number / 10,
    }
    return BatchResult.model_validate(told)


def hundred() -> BatchTotals:
    """A hundred rows of two hundred."""
    totals = BatchTotals(200)
    for number in range(1, 101):
        totals.spend(result(number))
        totals.take(result(number))
    return totals


def test_rows_add_up() -> None:
    """Times are those of rows that have succeeded, and known."""
    totals = hundred()
    summary = totals.summary()

    assert (totals.done, totals.left, totals.failures()) == (100, 100, [("reason 10", 5), ("reason 0", 5)])
    assert {name: summary[name] for name in ("rows", "succeeded", "failed", "left", "cost", "usage")} == {
        "rows": 200,
        "succeeded": 90,
        "failed": 10,
        "left": 100,
        "cost": pytest.approx(1.0),
        "usage": {"input_tokens": 1000, "transcription_s": 50.0},
    }
    assert summary["opened_ms"] == {"p50": 49.0, "p95": 95.0, "p99": 99.0, "max": 99.0}
    assert summary["first_ms"]["max"] == 98.0


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([7.0], {"p50": 7.0, "p95": 7.0, "p99": 7.0, "max": 7.0}),
        ([2.0, 1.0], {"p50": 1.0, "p95": 2.0, "p99": 2.0, "max": 2.0}),
        ([float(each) for each in range(1, 1001)], {"p50": 500.0, "p95": 950.0, "p99": 990.0, "max": 1000.0}),
    ],
)
def test_percentiles(values: list[float], found: dict[str, float]) -> None:
    """The least value that so many do not exceed."""
    assert percentiles_of(values) == found


def test_the_summary_for_people() -> None:
    """Counts, times, what was used, why rows have failed, and what is left."""
    totals = hundred()
    totals.spend(result(10))
    totals.leave(result(10))

    assert [*summary_lines(totals, "max_cost")] == [
        "200 rows: 90 succeeded, 10 failed, 100 left",
        "  a row         p50 4.9 s   p95 9.5 s   p99 9.9 s   max 9.9 s",
        "  opening       p50 49 ms   p95 95 ms   p99 99 ms   max 99 ms",
        "  first answer  p50 48 ms   p95 94 ms   p99 98 ms   max 98 ms",
        "  1,000 input tokens, 50.0 s of transcription, 1.01 spent",
        "  5 failed: reason 10",
        "  5 failed: reason 0",
        "  1 could not begin: reason 10",
        "batch.max_cost is spent: the same command again goes on with the rest",
    ]
    assert [*summary_lines(BatchTotals(0), None)] == ["0 rows: 0 succeeded"]


def test_progress_in_words() -> None:
    """How fast rows have ended in the last minute, and how long the rest takes."""
    totals, pace = hundred(), ProgressPace()

    assert pace.a_second(0.0, 0) == 0.0
    assert pace.a_second(50.0, 100) == 2.0
    assert pace.a_second(100.0, 100) == 0.0
    assert progress_text(totals, running=8, a_second=2.0) == (
        "100 of 200 · 8 running · 10 failed · 1.00 spent · 2.0 a second · 50 s left"
    )
    assert "30.0 a minute · 3 min 20 s left" in progress_text(totals, running=8, a_second=0.5)
    assert [time_text(each) for each in (5, 65, 3700)] == ["5 s", "1 min 5 s", "1 h 1 min"]
