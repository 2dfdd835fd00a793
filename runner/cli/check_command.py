"""`rt-run check`: every problem of every profile; with `--connect` the way to its endpoint too."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from runner.cli.arguments import add_command, add_profiles_dir, add_values, given_values, takes_profile
from runner.cli.plain_text import write_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.cli.verdict import Verdict
    from runner.profile import LoadedProfile
    from runner.profile.problems import Problem

_AT_ONCE = 50
"""So many connections are tried at a time."""


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "check",
        does="validate profiles, offline unless --connect is given",
        more="Every problem is told at once, with its place and what to write instead. Exit code 78: there is one.",
        examples=["rt-run check support", "rt-run check support --connect", "rt-run check --all --output github"],
    )
    takes_profile(parser.add_argument("profiles", nargs="*", metavar="NAME|PATH", help="the profiles to check"))
    parser.add_argument("--all", action="store_true", help="check every profile in every searched folder")
    parser.add_argument(
        "--connect",
        action="store_true",
        help="go the way to the endpoint too, from its name to a configured session; no response is asked for",
    )
    parser.add_argument("--output", choices=("text", "json", "github"), default="text", help="the form of the report")
    add_profiles_dir(parser)
    add_values(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check the profiles and print what is wrong with them.

    Returns:
        0 if all are well, else 78, or with `--connect` the code with which the first that is not would end its run.

    Raises:
        UsageError: There is nothing to check.
    """
    from runner.cli.check_report import lines_of
    from runner.errors import UsageError

    names = [path for name in args.profiles for path in _within(name)]
    names += _all(getattr(args, "profiles_dir", None)) if args.all else []
    if not names:
        raise UsageError("there is nothing to check", hint="name profiles, or use --all where there are some")
    verdicts = [_checked(name, args) for name in dict.fromkeys(names)]
    if args.connect:
        _announce_costs(verdicts)
        _connect(verdicts, is_verbose=args.verbose)
    write_plain("".join(f"{line}\n" for line in lines_of(verdicts, args.output, has_steps=args.connect)))
    return next((each.exit_code for each in verdicts if each.exit_code), 0)


def _announce_costs(verdicts: Sequence[Verdict]) -> None:
    """Say on standard error which connections cost something, before they are tried."""
    import sys

    billed = "a Live session is billed by the second, and one is opened for a moment"
    for each in verdicts:
        if each.loaded and each.loaded.profile.session.type == "live" and each.loaded.profile.endpoint.kind != "local":
            write_plain(f"{each.label}: {billed}\n", sys.stderr)


def _connect(verdicts: Sequence[Verdict], *, is_verbose: bool) -> None:
    """Try the connections of the profiles that can be loaded; what this machine lacks is an error then."""
    import anyio

    from runner import logs

    # What goes wrong on the way stands in the report.
    logs.configure(level="debug" if is_verbose else "error")
    anyio.run(_try_all, verdicts)


async def _try_all(verdicts: Sequence[Verdict]) -> None:
    """Try the secrets and the connections of the profiles that can be loaded, all at once."""
    import anyio

    from runner.cli.session_profile import tried_profile
    from runner.connect.needed_secrets import absent_secrets
    from runner.session.connection_check import check_connection, failed_step

    slots = anyio.Semaphore(_AT_ONCE)

    async def check(verdict: Verdict, loaded: LoadedProfile) -> None:
        async with slots:
            verdict.errors += await absent_secrets(loaded)
            verdict.steps = await check_connection(tried_profile(loaded))
            verdict.failed = failed_step(verdict.steps)

    async with anyio.create_task_group() as tasks:
        for verdict in verdicts:
            if verdict.loaded:
                tasks.start_soon(check, verdict, verdict.loaded)


def _within(name: str) -> list[str]:
    """The profiles of a folder, where the argument is one with any in it; else the argument itself."""
    from pathlib import Path

    paths = sorted(Path(name).glob("*.toml")) if "/" in name else []
    return [str(path) for path in paths] or [name]


def _all(profiles_dir: str | None) -> list[str]:
    import os
    from pathlib import Path

    from runner.profile.locate import found

    return [str(path) for path in found(Path(profiles_dir) if profiles_dir else None, os.environ)]


def _checked(name: str, args: argparse.Namespace) -> Verdict:
    from pathlib import Path

    from runner.cli.verdict import Verdict
    from runner.errors import ProfileError
    from runner.profile import Problem, ProfileProblems, load_profile
    from runner.profile.layers import shown
    from runner.profile.locate import is_path
    from runner.profile.readiness import missing_here

    label = shown(Path(name)) if is_path(name) else name
    try:
        loaded = load_profile(name, **given_values(args))
    except ProfileProblems as error:
        return Verdict(label, list(error.problems), list(error.warnings))
    except ProfileError as error:
        return Verdict(label, [Problem(label, 0, 0, "", error.message, error.hint, "not-found")])
    missing = missing_here(loaded)
    refused, odd = _ended(loaded)
    odd += loaded.left_out
    errors = [*refused, *_distrusted(loaded, missing)]
    if args.connect:
        # It asks about this machine, where else another one may run the profile.
        return Verdict(label, [*errors, *_needed(loaded, missing)], odd, loaded)
    return Verdict(label, errors, [*odd, *missing], loaded)


def _ended(loaded: LoadedProfile) -> tuple[list[Problem], list[Problem]]:
    """The warnings that are errors to whoever checks, and the others: a run lets the endpoint decide."""
    is_own = loaded.profile.endpoint.kind == "openai"
    refused = [each for each in loaded.warnings if is_own and each.code == "model-ended"]
    return refused, [each for each in loaded.warnings if each not in refused]


def _needed(loaded: LoadedProfile, missing: list[Problem]) -> list[Problem]:
    """What a run that starts here needs and has not."""
    from runner.profile.filling import missing_values
    from runner.profile.readiness import absent_devices

    return [*missing_values(loaded.profile, loaded.origins), *missing, *absent_devices(loaded)]


def _distrusted(loaded: LoadedProfile, missing: list[Problem]) -> list[Problem]:
    """What a connection would say of the files for TLS that are here."""
    from runner.connect.tls import tls_context
    from runner.errors import ProfileError
    from runner.profile.problems import problem_at
    from runner.settings.endpoint import LocalEndpoint

    endpoint = loaded.profile.endpoint
    if isinstance(endpoint, LocalEndpoint) or not (endpoint.ca_file or endpoint.client_certificate):
        return []
    if any(each.key.startswith("endpoint.") and each.code == "file-missing" for each in missing):
        return []
    try:
        tls_context(endpoint.ca_file, endpoint.client_certificate)
    except ProfileError as error:
        name = "client_certificate" if "client_certificate" in error.hint else "ca_file"
        key = ("endpoint", name)
        return [problem_at(loaded.origins.place(key), key, error.message, code="tls-file")]
    return []
