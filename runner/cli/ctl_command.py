"""`rt-run ctl`: what runs, and commands to a running session."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from runner.cli.arguments import takes_file, takes_profile

if TYPE_CHECKING:
    from runner.operations.control_client import ControlClient

_COMMANDS = """\
commands of a session, after its NAME:
  status [--json]              its state, age, turns, cost, and who carries it
  say TEXT [--no-response]     say something as the user
  respond [--instructions TEXT] [KEY=VALUE …]    ask for a response
  cancel                       cancel the answer in flight
  update KEY=VALUE …           change the configuration, such as instructions="Be brief"
  item add TEXT | add --item JSON | remove ID | truncate ID MS
  commit | clear               end the turn in the input buffer, or drop it
  input start | stop | mute | unmute
  output start | stop          have answers heard, or silence in their place
  event JSON | -               send a client event, or one a line of standard input
  events [--filter PATTERN]    follow the server's events
  attach                       chat with the session
  approve CALL | deny CALL [--reason TEXT]    answer a call of a tool that waits for it
  rollover                     move to another connection, at a quiet moment
  reload                       go by the profile as it is by now
  close                        end the session once its answer is complete

examples:
  rt-run ctl
  rt-run ctl support status
  rt-run ctl support say "Please come to an end."
"""


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "ctl",
        help="list what runs, and talk to a running session",
        description="List what runs, or talk to a running session whose profile has [control].",
        epilog=_COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_choices(parser)
    parser.add_argument("--json", action="store_true", help="print what runs as JSON")
    takes_profile(parser.add_argument("name", nargs="?", metavar="NAME", help="the profile of the session"))
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND …", help="what to do; by default status")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Carry out one command; returns 0.

    Raises:
        RunnerError: There is no such session, or it refuses what it is asked for.
    """
    import os

    if args.name is None:
        from runner.cli.ctl_list import list_sessions

        return list_sessions(args.socket, json=args.json, environ=os.environ)
    from runner.cli.ctl_parser import session_parser

    options = session_parser(args.name, _add_choices).parse_args(args.words)
    for name in ("socket", "session", "json"):
        setattr(options, name, getattr(options, name) or getattr(args, name))
    with _connected(args.name, options) as client:
        session = {"profile": args.name, **({"session": options.session} if options.session else {})}
        try:
            return int(options.act(client, session, options))
        except KeyboardInterrupt:
            return 130


def _add_choices(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Let a parser take the flags that say which session is meant."""
    takes_file(
        parser.add_argument(
            "--socket", metavar="PATH", default=default, help="the control socket, if NAME is not enough"
        )
    )
    parser.add_argument(
        "--session", type=int, metavar="N", default=default, help="the number of the session, where there are several"
    )


def _connected(name: str, options: argparse.Namespace) -> ControlClient:
    """A connection to the process that runs this profile."""
    import os
    from pathlib import Path

    from runner.cli.plain_text import plain_line
    from runner.errors import SessionAbsent, UsageError
    from runner.operations.control_client import ControlClient, found_sockets

    if options.socket:
        return ControlClient(Path(options.socket))
    found = found_sockets(os.environ)
    for each in found:
        if each.client is None:
            sys.stderr.write(f"rt-run: {plain_line(str(each.path))} does not answer\n")
    running = [each.client for each in found if each.client and name in each.client.greeting["profiles"]]
    for each in found:
        if each.client and (each.client not in running or len(running) > 1):
            each.client.close()
    if not running:
        names = sorted({other for each in found if each.client for other in each.client.greeting["profiles"]})
        hint = f"running here: {', '.join(names)}" if names else "its profile needs [control], or name its --socket"
        raise SessionAbsent(f"no session of {name!r} that can be controlled runs here", hint=hint)
    if len(running) > 1:
        paths = "".join(f"\n  --socket {each.path}" for each in running)
        raise UsageError(f"{len(running)} processes run {name}", hint=f"choose one:{paths}")
    return running[0]
