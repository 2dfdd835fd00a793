"""`rt-run batch`: one session a row of a file, each with a line of its own in a file of results."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from runner.cli.arguments import (
    add_command,
    add_profiles_dir,
    add_values,
    count_up_to,
    given_values,
    takes_file,
    takes_profile,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.batches.batch_run import BatchRun
    from runner.batches.begun_worker import BegunWorker
    from runner.batches.crew import HasCrew
    from runner.batches.worker_process import WorkerTask
    from runner.profile.load import LoadedProfile

_COUNT: Final = count_up_to(1_000_000)


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "batch",
        does="run a session for each row of a file",
        more='A row is a line of JSON, {"id": "1", "input": "question" or {"file": "recording"}, "variables": {…}}, or '
        "a line of CSV with the columns id, input, input_file and one for each variable. Each result is one line. "
        "The same command again goes on with the rows that have none. The exit code is 0 if all rows have succeeded, 1 "
        "if some have failed for good, and 75 if some are left.",
        examples=[
            "rt-run batch transcribe recordings.csv --results texts.jsonl",
            "rt-run batch support questions.jsonl --results answers.jsonl --concurrency 32",
            "rt-run batch support questions.jsonl --results tried.jsonl --limit 10 --repeat 3",
            "rt-run batch support questions.jsonl --results answers.jsonl --retry-failed",
            "rt-run batch support questions.jsonl --results answers.jsonl --on ray --address 10.0.0.5:6379",
        ],
    )
    takes_profile(parser.add_argument("name", metavar="NAME|PATH", help="the profile of all sessions"))
    takes_file(parser.add_argument("rows", metavar="ROWS", help="the rows: a .csv, or else lines of JSON"))
    takes_file(
        parser.add_argument("--results", metavar="FILE", required=True, help="where each row's result is appended")
    )
    parser.add_argument("--concurrency", type=_COUNT, metavar="N", help="sessions at once: batch.concurrency")
    parser.add_argument("--workers", type=_COUNT, metavar="N", help="processes that run them: batch.workers")
    parser.add_argument("--limit", type=_COUNT, metavar="N", help="run the first N rows only")
    parser.add_argument("--repeat", type=_COUNT, metavar="N", default=1, help="run each row N times; once without it")
    parser.add_argument("--retry-failed", action="store_true", help="run those again that have failed, too")
    parser.add_argument(
        "--on", choices=("local", "ray"), default="local", help="where the rows run: here, or on a Ray cluster"
    )
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="the head of the Ray cluster; without it $RAY_ADDRESS, and else a cluster of this machine for this batch",
    )
    parser.add_argument("--output", choices=("text", "json"), default="text", help="the form of the summary")
    add_profiles_dir(parser)
    add_values(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the rows that have no result yet; returns the exit code.

    Raises:
        UsageError: Rows cannot be run, or the results are another batch's.
        ProfileError: There is no such profile, or it has problems.
        OutputError: The results cannot be written.
    """
    from pathlib import Path

    from runner import logs
    from runner.batches.batch_run import BatchRun
    from runner.batches.worker_process import WorkerTask
    from runner.cli.failure import print_failure
    from runner.errors import UsageError
    from runner.runs.loop_choice import uses_uvloop

    if options.address is not None and options.on != "ray":
        raise UsageError("--address is that of a Ray cluster", hint="add --on ray")
    loaded = _loaded(options)
    level: logs.Level = "debug" if options.verbose else "error" if options.quiet else "warning"
    form: logs.Format = options.log_format or loaded.profile.logging.format
    logs.configure(level=level, format=form)
    batch = BatchRun(
        loaded,
        Path(options.rows),
        Path(options.results),
        limit=options.limit,
        repeat=options.repeat,
        retries_failed=options.retry_failed,
    )
    if batch.torn_bytes:
        logs.logger().warning("result_torn", path=options.results, hint="a crash has cut it off; its row runs again")
    _execute(batch, WorkerTask(loaded, level, form, uses_uvloop=uses_uvloop(loaded.profile)), options)
    _conclude(batch, options)
    if batch.driver and batch.driver.failure:
        print_failure(batch.driver.failure)
    return batch.exit_code


def _execute(batch: BatchRun, task: WorkerTask, options: argparse.Namespace) -> None:
    """Run the batch, and show how far it has come: to people on a row of their terminal, elsewhere in the log."""
    import sys
    from functools import partial

    import anyio

    from runner import logs
    from runner.batches.collector import collect_rarely
    from runner.batches.crew import local_crew
    from runner.cli.batch_progress import draw_progress, log_progress, show_nothing
    from runner.cli.progress_bar import ProgressBar
    from runner.standard_streams import STDERR, turns
    from runner.tools.printed_lines import printing_to_log

    collect_rarely()
    has_bar = sys.stderr.isatty() and logs.for_people(task.log_format) and not options.quiet
    has_crew: HasCrew
    if options.on == "ray":
        from runner.batches.ray_workers import ray_crew

        has_crew = partial(ray_crew, address=options.address)
    else:
        has_crew = partial(local_crew, begun=_begun_workers(batch, task))
    bar = ProgressBar(batch.name) if has_bar else None
    observe = partial(draw_progress, bar=bar) if bar else show_nothing if options.quiet else log_progress
    turns(STDERR).lead(bar)
    try:
        with printing_to_log(), logs.bound(profile=batch.name):
            anyio.run(batch.execute, task, has_crew, observe, backend_options={"use_uvloop": task.uses_uvloop})
    finally:
        turns(STDERR).lead(None)
        if bar:
            bar.remove()


def _begun_workers(batch: BatchRun, task: WorkerTask) -> Sequence[BegunWorker]:
    """The worker processes of a batch that has several, as long as this process may fork."""
    from runner.batches.crew import worker_count
    from runner.settings.batch_settings import BatchSettings

    count = worker_count(task.loaded.profile.batch or BatchSettings(), batch.totals.left)
    if count == 1:
        return []
    from runner.batches.worker_fork import forked_workers

    return forked_workers(count, task, give_up=batch.close)


def _conclude(batch: BatchRun, options: argparse.Namespace) -> None:
    """Write what all rows have come to."""
    import json

    from runner import logs
    from runner.cli.batch_summary import summary_lines
    from runner.cli.plain_text import plain_line, write_plain

    totals, stopped_by = batch.totals, batch.driver.stopped_by if batch.driver else None
    summary = {**totals.summary(), **({"stopped_by": stopped_by} if stopped_by else {})}
    if not (options.quiet or logs.for_people(options.log_format or "auto")):
        logs.note("batch_ended", profile=batch.name, exit_code=batch.exit_code, **summary)
    if options.output == "json":
        write_plain(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    else:
        write_plain("".join(f"{plain_line(each)}\n" for each in summary_lines(totals, stopped_by)))


def _loaded(options: argparse.Namespace) -> LoadedProfile:
    from runner.profile import load_profile

    given = given_values(options)
    flags = {"concurrency": options.concurrency, "workers": options.workers}
    sets = [f"batch.{name}={value}" for name, value in flags.items() if value is not None]
    return load_profile(options.name, **{**given, "sets": [*given["sets"], *sets]})
