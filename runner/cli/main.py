"""The command line: arguments in, exit code out. Each command imports what it needs when it runs."""

import argparse
import gc
import sys
from collections.abc import Sequence

from runner import __version__

_DESCRIPTION = """\
Run a realtime AI session from a profile.

  rt-run --profile local            a chat with the local endpoint, offline
  rt-run -p local --ask "Hello"     one question, its answer, the end
  echo "Hello" | rt-run -p local    a filter: one answer a line
  rt-run -p sales -p support        sessions of two profiles in one process
  rt-run init my-agent --kind openai
  rt-run check --all
"""
_EXIT_CODES = """\
exit codes: 0 done, or drained after SIGTERM; 1 a tool called by hand, a row or
a scenario failed, or a session refuses what ctl asks; 2 usage; 3 a scenario
could not be run; 69 endpoint unreachable, or no such session; 70 a bug in
rt-run; 74 input or output failed; 75 temporary, or rows are left: try again; 76
protocol; 77 access refused; 78 profile invalid or refused; 129 and 130 drained
after SIGHUP and SIGINT; 128+n forced by a second signal or by the end of the
grace period
"""
_MOST_NAMES_COLUMNS = 28
"""How much room the names of profiles get where none was named, in letters; `rt-run list` has all."""


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: The command line after the program's name.

    Returns:
        The exit code of the process.
    """
    try:
        options = _parsed(arguments)
        if options.version:
            # argparse's own action says nothing where its output cannot be written.
            options.run = _print_version
        return _carry_out(options)
    except Exception as error:  # noqa: BLE001  # whatever it is, a person has to read it
        return _reported(error)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    if any(each.startswith(("-p", "--profile")) for each in arguments):
        from runner.errors import UsageError

        try:
            # A run starts often, and needs no command: they are not even imported.
            return _flags(add_help=False).parse_args(arguments)
        except UsageError:
            pass  # a command, a question for help, or what the whole parser explains
    return _parser().parse_args(arguments)


def _reported(error: Exception) -> int:
    """Print or log what went wrong; returns the exit code."""
    from runner.cli.failure import print_failure
    from runner.errors import OutputError, RunnerError

    match error:
        case RunnerError():
            print_failure(error)
            return error.exit_code
        case BrokenPipeError():
            return 0
        case OSError():
            print_failure(OutputError(_story(error)))
            return OutputError.exit_code
        case _:
            from runner import logs

            logs.logger().error("internal_error", exc_info=error)
            return RunnerError.exit_code


def _carry_out(options: argparse.Namespace) -> int:
    if getattr(options, "run", None) is not None:
        _refuse_profiles(options.profile)
        _refuse_flags(options, "it stands before a command, which would ignore it", "leave out the command")
        return int(options.run(options))
    if options.profile is None:
        _refuse_flags(options, "which profile it is for is not said", "rt-run --profile NAME {}")
        sys.stderr.write(_beginning())
        return 2
    # What is imported and read until the sessions begin stays to the end: no collection shall walk through it.
    gc.disable()
    try:
        from runner.cli.run_command import run as run_profiles

        return run_profiles(options)
    finally:
        gc.enable()


def _beginning() -> str:
    """What to do where no profile is named."""
    import os
    import textwrap

    from runner.errors import ProfileError
    from runner.profile.locate import found

    try:
        names = sorted({path.stem for path in found(None, os.environ) if path.stem.isprintable()})
    except ProfileError:
        names = []
    listed = textwrap.shorten(", ".join(names), _MOST_NAMES_COLUMNS, placeholder=" …", break_on_hyphens=False)
    own = [("rt-run --profile NAME", f"a session of {listed}")] if names else []
    rows = [
        ("rt-run --profile local", "a chat with the local endpoint, offline"),
        *own,
        ("rt-run init my-agent --kind openai", "write a profile; init --help has the kinds"),
        ("rt-run --help", "all commands and flags"),
    ]
    lines = "".join(f"  {command:<36}{text}\n" for command, text in rows)
    return f"rt-run runs realtime AI sessions from profiles, and none was named. Try one of:\n\n{lines}"


def _print_version(_options: argparse.Namespace) -> int:
    sys.stdout.write(f"rt-run {__version__}\n")
    return 0


def _story(error: OSError) -> str:
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        return "the working directory does not exist any more"
    return f"standard output cannot be written: {error.strerror}"


def _refuse_profiles(names: Sequence[str] | None) -> None:
    from runner.errors import UsageError

    if names:
        msg = f"--profile {names[0]} stands before a command, which would ignore it"
        raise UsageError(msg, hint="leave out the command to run the profile, or name it after the command")


def _refuse_flags(options: argparse.Namespace, problem: str, hint: str) -> None:
    """Refuse the flags that say how a profile is run; `{}` in a hint is the flag as it is written."""
    from runner.errors import UsageError

    for flag, text, is_given in (("--ask", " TEXT", options.ask is not None), ("--fresh", "", options.fresh)):
        if is_given:
            msg = f"{flag}: {problem}"
            raise UsageError(msg, hint=hint.format(flag + text))


def _parser() -> argparse.ArgumentParser:
    from runner.cli import (
        batch_command,
        check_command,
        completion_command,
        ctl_command,
        devices_command,
        init_command,
        list_command,
        replay_command,
        report_command,
        schema_command,
        serve_local_command,
        show_command,
        test_command,
        tools_command,
    )

    parser = _flags(add_help=True)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in (
        check_command,
        show_command,
        list_command,
        init_command,
        schema_command,
        devices_command,
        serve_local_command,
        replay_command,
        report_command,
        tools_command,
        test_command,
        batch_command,
        ctl_command,
    ):
        command.add_parser(commands)
    completion_command.add_parser(commands, parser)
    return parser


def _flags(*, add_help: bool) -> argparse.ArgumentParser:
    """The flags of a run, which stand before a command or without one."""
    from runner.cli.arguments import takes_file, takes_folder, takes_profile
    from runner.cli.command_parser import CommandParser

    parser = CommandParser(
        prog="rt-run",
        description=_DESCRIPTION,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=add_help,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    takes_profile(
        parser.add_argument(
            "-p",
            "--profile",
            action="append",
            metavar="NAME|PATH",
            help="the profile to run; given again, more profiles beside it",
        )
    )
    parser.add_argument("--markdown", action="store_true", help="render the Markdown of a chat's answers")
    parser.add_argument("--fresh", action="store_true", help="begin anew, whatever [run.resume] has of an earlier run")
    parser.add_argument("--ask", metavar="TEXT", help="ask one question, print its answer, and end")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one value, such as model.name=gpt-realtime-2, in every profile",
    )
    parser.add_argument(
        "--var",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="give a variable of the profile its value, such as customer=Ada",
    )
    takes_file(
        parser.add_argument("--vars", metavar="FILE", help="give variables the values in a file of one JSON object")
    )
    takes_folder(parser.add_argument("--profiles-dir", metavar="DIR", help="look for profiles here first"))
    parser.add_argument(
        "--log-format", choices=["auto", "console", "json"], help="how logs are written to standard error"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log at level debug")
    parser.add_argument("-q", "--quiet", action="store_true", help="log warnings and errors only")
    return parser
