"""`rt-run completion`: completion scripts for shells, made from the commands by shtab."""

import argparse
import re
import sys
from typing import Any

from runner.cli.arguments import add_command

SHELLS = ("bash", "zsh", "fish")


def add_parser(subparsers: Any, root: argparse.ArgumentParser) -> None:
    """Add the command to the command line.

    Args:
        subparsers: The action that holds all commands.
        root: The parser of the whole command line, which the script completes.
    """
    parser = add_command(
        subparsers,
        "completion",
        does="print a completion script for a shell",
        more="It completes commands, flags, files and the names of profiles.",
        examples=[
            "source <(rt-run completion bash)",
            "rt-run completion fish > ~/.config/fish/completions/rt-run.fish",
        ],
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")
    parser.set_defaults(run=lambda args: run(args, root))


def run(args: argparse.Namespace, root: argparse.ArgumentParser) -> int:
    """Print the script; it asks `rt-run list --names` for the profiles."""
    import shtab

    script = shtab.complete(root, shell=args.shell)
    if args.shell == "zsh":
        # shtab writes what zsh takes for one argument, not for any number of them.
        script = re.sub(r'^  "\(\*\)::?', '  "*:', script, flags=re.MULTILINE)
    sys.stdout.write(f"{script}\n")
    return 0
