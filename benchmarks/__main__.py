"""`python -m benchmarks`: measure, print a table with ratios, and on request write all samples as JSON."""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks import (
    batch,
    calls,
    control,
    fallback,
    instructions,
    live,
    measure,
    observation,
    receive,
    report,
    resume,
    roundtrip,
    send,
    sessions,
    startup,
    steps,
)

Module = Callable[[int | None], AbstractContextManager[list[measure.Comparison]]]

MODULES: dict[str, Module] = {
    "startup": startup.comparisons,
    "receive": receive.comparisons,
    "send": send.comparisons,
    "roundtrip": roundtrip.comparisons,
    "sessions": sessions.comparisons,
    "live": live.comparisons,
    "calls": calls.comparisons,
    "batch": batch.comparisons,
    "control": control.comparisons,
    "observation": observation.comparisons,
    "resume": resume.comparisons,
    "fallback": fallback.comparisons,
    "steps": steps.comparisons,
    "instructions": instructions.comparisons,
}
"""Each gives its comparisons as a context, given the core on which its servers shall run."""


def main() -> int:
    """Run the benchmarks that the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare, in turns, within one run.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"some of: {', '.join(MODULES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="how often each is measured (default 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw each comparison there, as SVG")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a claim does not hold")
    options = parser.parse_args()
    if unknown := [name for name in options.modules if name not in MODULES]:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(MODULES)}")
    if options.rounds < 1:
        parser.error("--rounds: at least 1")

    server_core, pinned = _pin()
    details = report.machine()
    report.print_machine(details, pinned)
    results: list[report.Result] = []
    hold = True
    for name in options.modules or MODULES:
        with MODULES[name](server_core) as comparisons:
            for comparison in comparisons:
                for part, figures in measure.run(comparison, rounds=options.rounds):
                    results.append((part, figures))
                    hold = report.print_comparison(part, figures) and hold
    if options.json:
        report.write_json(options.json, details, results, rounds=options.rounds)
    if options.plots:
        from benchmarks import plots  # matplotlib takes its time

        plots.draw(options.plots, results)
    return 1 if options.check and not hold else 0


def _pin() -> tuple[int | None, str]:
    if not hasattr(os, "sched_getaffinity"):
        return None, "not pinned: this system cannot"
    cores = sorted(os.sched_getaffinity(0))
    pinned = measure.pin(cores[-1])
    return (cores[0], f"{pinned}, servers to core {cores[0]}") if len(cores) > 1 else (None, pinned)


if __name__ == "__main__":
    sys.exit(main())
