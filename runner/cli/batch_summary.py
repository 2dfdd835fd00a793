"""What a batch has come to, when it is over: for people, or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.batches.batch_driver import StopReason
    from runner.batches.batch_totals import BatchTotals

_MOST_REASONS: Final = 5
_USED: Final = {
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "transcription_input_tokens": "input tokens of transcriptions",
    "transcription_output_tokens": "output tokens of transcriptions",
    "transcription_s": "s of transcription",
}
_TIMES: Final = (("duration_s", "a row", "s"), ("opened_ms", "opening", "ms"), ("first_ms", "first answer", "ms"))
_STOPS: Final[dict[StopReason, str]] = {
    "signal": "a signal has ended the batch",
    "max_cost": "batch.max_cost is spent",
    "max_consecutive_failures": "too many rows have failed one after another (batch.max_consecutive_failures)",
    "failed": "the batch cannot go on",
}


def summary_lines(totals: BatchTotals, stopped_by: StopReason | None) -> Iterator[str]:
    """What a batch has come to, for people."""
    counts = [f"{totals.succeeded:,} succeeded"]
    counts += [f"{totals.failed:,} failed"] if totals.failed else []
    counts += [f"{totals.left:,} left"] if totals.left else []
    yield f"{totals.rows:,} row{'s' if totals.rows != 1 else ''}: {', '.join(counts)}"
    summary = totals.summary()
    for name, title, unit in _TIMES:
        if figures := summary.get(name):
            yield f"  {title:<14}" + "".join(f"{each} {value:g} {unit}   " for each, value in figures.items()).rstrip()
    used = [f"{amount:,} {_USED[name]}" for name, amount in summary["usage"].items() if name in _USED]
    spent = [f"{totals.cost:g} spent"] if totals.has_cost else []
    if used or spent:
        yield "  " + ", ".join([*used, *spent])
    for what, reasons in (("failed", totals.failures()), ("could not begin", totals.obstacles())):
        for message, count in reasons[:_MOST_REASONS]:
            yield f"  {count:,} {what}: {message}"
        if len(reasons) > _MOST_REASONS:
            yield f"  {sum(count for _, count in reasons[_MOST_REASONS:]):,} {what} otherwise"
    if totals.left:
        yield f"{_STOPS[stopped_by] if stopped_by else 'rows are left'}: the same command again goes on with the rest"
