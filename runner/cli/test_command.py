"""`rt-run test`: run scenarios, the tests of profiles."""

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
    from pathlib import Path

    from runner.scenarios.scenario_file import LoadedScenario
    from runner.scenarios.scenario_run import ScenarioVerdict, VerdictKind

_COUNT: Final = count_up_to(1000)
_LONGEST_LINE: Final = 400
"""So much of a line of a transcript is told to people, in characters."""
_ENDED: Final = "a signal has ended the command before it was over"
_WORDS: Final[tuple[tuple[VerdictKind, str], ...]] = (
    ("passed", "passed"),
    ("failed", "failed"),
    ("not-run", "not run"),
)

_OF_RUNS: Final[dict[str, tuple[str, object]]] = {
    "paths": ("the scenarios", []),
    "tested": ("--profile", None),
    "word": ("-k", ""),
    "repeat": ("--repeat", 1),
    "jobs": ("--jobs", 1),
    "junit": ("--junit", None),
    "output": ("--output", "text"),
    "endpoint": ("--endpoint", "local"),
    "limits": ("--limits", False),
    "judge": ("--judge", False),
    "sets": ("--set", []),
    "variables": ("--var", []),
    "vars": ("--vars", None),
}
"""What says something of runs, by its name among the options: how people call it, and what it is by default."""


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "test",
        does="run scenarios, the tests of profiles",
        more="A scenario is a TOML file: what the user says, and what is expected of each turn. It runs against the "
        "local endpoint, offline; limits on time and cost count with --limits, or at the profile's own endpoint. The "
        "exit code is 0 if all have passed, 1 if one has failed, and 3 if none has failed and one could not be run.",
        examples=[
            "rt-run test",
            "rt-run test profiles/scenarios/greeting.toml --repeat 5",
            "rt-run test profiles/scenarios -k order --junit results.xml",
            "rt-run test --endpoint profile --jobs 4 --judge",
            "rt-run test --from journal/support-1.jsonl > profiles/scenarios/support.toml",
        ],
    )
    takes_file(
        parser.add_argument(
            "paths", nargs="*", metavar="FILE|FOLDER", help="scenarios; without it, those in profiles/scenarios"
        )
    )
    takes_profile(
        parser.add_argument(
            "--profile", metavar="NAME|PATH", dest="tested", help="the profile to try instead of the scenarios' own"
        )
    )
    parser.add_argument("-k", metavar="WORD", dest="word", default="", help="only those with this in their names")
    parser.add_argument("--repeat", type=_COUNT, metavar="N", default=1, help="how often each runs; once without it")
    parser.add_argument("--jobs", type=_COUNT, metavar="N", default=1, help="how many sessions at once; one without it")
    takes_file(parser.add_argument("--junit", metavar="FILE", help="write the verdicts as JUnit XML, too"))
    parser.add_argument("--output", choices=("text", "json"), default="text", help="the form of the verdicts")
    parser.add_argument(
        "--endpoint", choices=("local", "profile"), default="local", help="where the sessions connect; local without it"
    )
    parser.add_argument("--limits", action="store_true", help="let limits on time and cost count at the local endpoint")
    parser.add_argument(
        "--judge",
        action="store_true",
        help="ask the judges of the scenarios, text models of the profiles' endpoints, too; this costs",
    )
    takes_file(
        parser.add_argument(
            "--from", metavar="JOURNAL", dest="journal", help="print the scenario of a recorded session"
        )
    )
    add_profiles_dir(parser)
    add_values(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the scenarios that the command line names; returns the exit code.

    Raises:
        UsageError: There is none.
        ProfileError: A scenario or its profile has problems.
        OutputError: The verdicts cannot be written.
    """
    import anyio

    from runner import logs
    from runner.errors import UsageError

    if options.journal is not None:
        return _print_recorded(options)
    from runner.scenarios.scenario_file import load_scenarios, scenario_files

    paths = [each for each in scenario_files(options.paths) if options.word.lower() in str(each).lower()]
    if not paths:
        msg = f"-k {options.word}: no scenario has this in its name"
        raise UsageError(msg)
    scenarios = load_scenarios(paths, profile=options.tested, values=given_values(options))
    if options.junit:
        _look_at_junit(options.junit)
    logs.configure(level="debug" if options.verbose else "error", format=options.log_format or "auto")
    return anyio.run(_until_signal, scenarios, options)


def _look_at_junit(name: str) -> None:
    """Say before anything runs, and costs, that its verdicts cannot be written."""
    from pathlib import Path

    from runner.errors import OutputError

    path = Path(name)
    if path.is_dir() or not path.parent.is_dir():
        msg = f"{name} cannot be written: " + (
            "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        )
        raise OutputError(msg)


def _print_recorded(options: argparse.Namespace) -> int:
    """Print the scenario of the first session of a journal."""
    import sys
    from pathlib import Path

    from runner.cli.plain_text import plain, write_plain
    from runner.errors import InputError, UsageError
    from runner.journal.reading import read_journal
    from runner.journal.timeline import timelines
    from runner.scenarios.recorded_scenario import recorded_scenario

    if given := [told for name, (told, usual) in _OF_RUNS.items() if getattr(options, name, usual) != usual]:
        hint = f"leave out {' and '.join(given)}"
        raise UsageError("--from: it prints a scenario, and runs none", hint=hint)
    path = Path(options.journal)
    found = [*timelines(read_journal(path, lambda each: write_plain(f"rt-run: {each}\n", sys.stderr)))]
    if not found:
        msg = f"the journal {path} holds no session"
        raise InputError(msg)
    if len(found) > 1:
        write_plain(f"rt-run: {path} holds {len(found)} sessions, of which this is the first\n", sys.stderr)
    text = recorded_scenario(found[0], source=path.name)
    if not found[0].header.profile:
        write_plain(f"rt-run: {path} does not say which profile it is of: write its name at `profile`\n", sys.stderr)
    # A terminal is not moved by what somebody has said; a file gets it as it is.
    sys.stdout.write(plain(text) if sys.stdout.isatty() else text)
    return 0


async def _until_signal(scenarios: Sequence[LoadedScenario], options: argparse.Namespace) -> int:
    """Run the scenarios, which a signal ends; the verdicts until then are told all the same."""
    from runner.runs.signals import watch
    from runner.scenarios.scenario_run import ScenarioRuns, ScenarioVerdict, exit_code
    from runner.task_groups import body_task_group

    verdicts: list[ScenarioVerdict] = []
    code = 0

    def take(number: int) -> None:
        nonlocal code
        code = 128 + number
        tasks.cancel_scope.cancel()

    def tell(verdict: ScenarioVerdict) -> None:
        verdicts.append(verdict)
        if options.output == "text":
            _tell(verdict)

    async with body_task_group() as tasks:
        await tasks.start(watch, take)
        is_local = options.endpoint == "local"
        runs = ScenarioRuns(
            options.repeat, options.jobs, is_local, options.limits or not is_local, _kept(), asks_judges=options.judge
        )
        await runs.execute(scenarios, tell)
        tasks.cancel_scope.cancel()
    left = scenarios[len(verdicts) :]
    verdicts += [ScenarioVerdict(each.name, each.loaded.name, "not-run", problems=[_ENDED]) for each in left]
    _conclude(verdicts, options)
    return code or exit_code(verdicts)


def _kept() -> Path:
    """Where the journals of runs are kept that have not passed."""
    import os
    from pathlib import Path

    state = os.environ.get("XDG_STATE_HOME") or str(Path(os.environ.get("HOME") or "/") / ".local" / "state")
    return Path(state) / "rt-run" / "tests"


def _tell(verdict: ScenarioVerdict) -> None:
    """Write a verdict for people."""
    import sys

    from runner.cli.plain_text import plain_line, write_plain
    from runner.redaction import excerpt

    share = f", {verdict.passed} of {verdict.runs} runs passed" if verdict.runs > 1 else ""
    lines = [f"{verdict.verdict.replace('-', ' '):<8} {verdict.name}  ({verdict.duration_s:.1f} s{share})"]
    if verdict.problems:
        lines += [f"  {each}" for each in verdict.problems]
        lines += [f"  | {excerpt(each, _LONGEST_LINE)}" for each in verdict.transcript]
        lines += [f"  journal: {verdict.journal}"] if verdict.journal else []
    write_plain("".join(f"{plain_line(each)}\n" for each in lines))
    # Whoever watches a pipe sees each verdict when it is there.
    sys.stdout.flush()


def _conclude(verdicts: Sequence[ScenarioVerdict], options: argparse.Namespace) -> None:
    """Write what there is to say of all scenarios together."""
    from collections import Counter

    from runner.cli.plain_text import write_plain

    kinds = Counter(each.verdict for each in verdicts)
    if options.output == "json":
        import json
        from dataclasses import asdict

        told = {"passed": kinds["passed"], "failed": kinds["failed"], "not_run": kinds["not-run"]}
        rows = [asdict(each) | {"duration_s": round(each.duration_s, 3)} for each in verdicts]
        write_plain(json.dumps({**told, "scenarios": rows}, indent=2, ensure_ascii=False) + "\n")
    else:
        parts = [f"{kinds[kind]} {name}" for kind, name in _WORDS if kinds[kind] or kind == "passed"]
        write_plain(f"{', '.join(parts)}\n")
    if options.junit:
        from pathlib import Path

        from runner.errors import OutputError, reason_of
        from runner.scenarios.junit import junit

        try:
            Path(options.junit).write_bytes(junit(verdicts))
        except OSError as error:
            msg = f"{options.junit} cannot be written: {reason_of(error)}"
            raise OutputError(msg) from None
