"""`rt-run devices`: the microphones and speakers of this machine."""

import argparse
import sys
from typing import Any

from runner.cli.arguments import add_command


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "devices",
        does="list microphones and speakers",
        more="A profile names one by its number, or by a part of its name. It needs the extra `audio`.",
        examples=["rt-run devices"],
    )
    parser.add_argument("--output", choices=("text", "json"), default="text", help="the form of the list")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print all devices; returns 0.

    Raises:
        ProfileError: the library that finds them is not installed.
    """
    from dataclasses import asdict

    from runner.audio.portaudio import devices

    found = devices()
    if args.output == "json":
        import json

        text = json.dumps([asdict(each) for each in found], indent=2, ensure_ascii=False) + "\n"
    else:
        text = "".join(
            f"{each.number:>3}  {each.name}  ({each.inputs} in{_mark(each.is_default_input)}, "
            f"{each.outputs} out{_mark(each.is_default_output)}, {each.rate} Hz)\n"
            for each in found
        )
        text = text or "no audio devices\n"
    sys.stdout.write(text)
    return 0


def _mark(is_default: bool) -> str:
    return ": default" if is_default else ""
