"""`rt-run report flush`: deliver the reports that wait in a spool."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from runner.cli.arguments import add_command, add_profiles_dir, add_values, given_values, takes_profile

if TYPE_CHECKING:
    from runner.profile import LoadedProfile


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "report",
        does="deliver the reports that wait",
        more="A profile with a table [report.webhook] keeps what could not be delivered.",
        examples=["rt-run report flush support"],
    )
    parser.add_argument("action", choices=("flush",), metavar="flush", help="deliver what waits, the oldest first")
    takes_profile(parser.add_argument("profiles", nargs="+", metavar="NAME|PATH", help="whose reports"))
    add_profiles_dir(parser)
    add_values(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Deliver the reports of each profile.

    Returns:
        0 if none is left, else 75: another attempt may fare better.

    Raises:
        UsageError: A profile has no webhook.
        ProfileError: A profile cannot be loaded.
    """
    import anyio

    from runner.cli.plain_text import write_plain
    from runner.errors import EndpointBusy, UsageError
    from runner.profile import load_profile

    profiles = [load_profile(name, **given_values(args)) for name in dict.fromkeys(args.profiles)]
    for loaded in profiles:
        if loaded.profile.report is None or loaded.profile.report.webhook is None:
            msg = f"the profile {loaded.name} has no [report.webhook], so that nothing waits to be delivered"
            raise UsageError(msg)
    waiting = 0
    for loaded in profiles:
        delivered, left = anyio.run(_flushed, loaded)
        write_plain(f"{loaded.name}: {delivered} delivered, {left} left\n")
        waiting += left
    return EndpointBusy.exit_code if waiting else 0


async def _flushed(loaded: LoadedProfile) -> tuple[int, int]:
    import os

    from runner.runs.deliveries import Deliveries
    from runner.runs.report_spool import ReportSpool
    from runner.runs.webhook import Webhook

    settings = loaded.profile.report
    assert settings is not None  # noqa: S101  # the caller has looked
    assert settings.webhook is not None  # noqa: S101  # likewise
    spool = ReportSpool(settings, loaded.name, os.environ)
    return await Deliveries(spool, Webhook(settings.webhook), loaded.name).flush()
