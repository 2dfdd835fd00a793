"""`rt-run check`: every problem of every profile, without any network."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from runner.cli.arguments import add_profiles_dir, add_values, given_values, takes_profile
from runner.cli.plain_text import plain_line, write_plain

if TYPE_CHECKING:
    from runner.profile import LoadedProfile
    from runner.profile.problems import Problem


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("check", help="validate profiles offline")
    takes_profile(parser.add_argument("profiles", nargs="*", metavar="NAME|PATH", help="the profiles to check"))
    parser.add_argument("--all", action="store_true", help="check every profile in every searched folder")
    parser.add_argument("--output", choices=("text", "json", "github"), default="text", help="the form of the report")
    add_profiles_dir(parser)
    add_values(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check the profiles and print what is wrong with them.

    Returns:
        0 if all are valid, else 78.

    Raises:
        UsageError: There is nothing to check.
    """
    from runner.cli.report import report
    from runner.errors import ProfileError, UsageError

    names = [path for name in args.profiles for path in _within(name)]
    names += _all(getattr(args, "profiles_dir", None)) if args.all else []
    if not names:
        raise UsageError("there is nothing to check", hint="name profiles, or use --all where there are some")
    errors: dict[Problem, None] = {}
    warnings: dict[Problem, None] = {}
    lines: list[str] = []
    failed = False
    for name in dict.fromkeys(names):
        wrong, odd, label = _checked(name, args)
        failed = failed or bool(wrong)
        new = [each for each in wrong if each not in errors]
        odd = [each for each in odd if each not in warnings]
        errors.update(dict.fromkeys(new))
        warnings.update(dict.fromkeys(odd))
        verdict = f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''}" if wrong else "ok"
        lines += [text for text in (report("text", new, odd), f"{plain_line(label)}: {verdict}") if text]
    if args.output != "text":
        lines = [text for text in (report(args.output, list(errors), list(warnings)),) if text]
    write_plain("".join(f"{line}\n" for line in lines))
    return ProfileError.exit_code if failed else 0


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


def _checked(name: str, args: argparse.Namespace) -> tuple[list[Problem], list[Problem], str]:
    from pathlib import Path

    from runner.errors import ProfileError
    from runner.profile import Problem, ProfileProblems, load_profile
    from runner.profile.layers import shown
    from runner.profile.locate import is_path
    from runner.profile.readiness import missing_here

    label = shown(Path(name)) if is_path(name) else name
    try:
        loaded = load_profile(name, **given_values(args))
    except ProfileProblems as error:
        return list(error.problems), list(error.warnings), label
    except ProfileError as error:
        return [Problem(label, 0, 0, "", error.message, error.hint, "not-found")], [], label
    missing = missing_here(loaded)
    return _distrusted(loaded, missing), [*loaded.warnings, *missing], label


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
