"""What commands have in common: a help with examples, and what shells complete an argument with.

`rt-run completion` hands the latter to shtab, which looks for an attribute `complete` of each argument, so that
commands need not import it.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

_BASH = """\
_rt_run_profiles() {
  compgen -W "$(rt-run list --names 2>/dev/null)" -- "$1"
  compgen -f -X '!*.toml' -- "$1" | grep -vx pyproject.toml
}"""
_ZSH = """\
_rt_run_profiles() {
  local -a names
  names=("${(@f)$(rt-run list --names 2>/dev/null)}")
  compadd -a names
  local -a others=(pyproject.toml)
  _files -g '*.toml' -F others
}"""
_PROFILES = {
    "bash": "_rt_run_profiles",
    "zsh": "_rt_run_profiles",
    "fish": "(rt-run list --names 2>/dev/null; __fish_complete_suffix .toml | string match -v 'pyproject.toml*')",
    "preamble": {"bash": _BASH, "zsh": _ZSH},
}


def add_command(
    subparsers: Any, name: str, *, does: str, more: str, examples: Sequence[str]
) -> argparse.ArgumentParser:
    """Add a command to the command line, with a help that shows how it is used.

    Args:
        subparsers: The action that holds all commands.
        name: What it is called.
        does: What it does, without a full stop; the help of all commands has this line.
        more: Sentences that only its own help has, and lists with a heading, parted by empty lines.
        examples: Whole command lines.
    """
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=does,
        description=f"{does[0].upper()}{does[1:]}.",
        epilog="\n".join([more, "", "examples:", *(f"  {each}" for each in examples)]),
        formatter_class=ExampleFormatter,
    )
    return parser


class ExampleFormatter(argparse.HelpFormatter):
    """Fills paragraphs, and leaves lists with a heading as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(part if ":\n" in part else fill(part, width, indent) for part in text.split("\n\n"))

    def _split_lines(self, text: str, width: int) -> list[str]:
        from textwrap import wrap

        return wrap(" ".join(text.split()), width, break_on_hyphens=False)


def add_profiles_dir(parser: argparse.ArgumentParser, text: str = "search this folder first") -> None:
    """Let a command take `--profiles-dir`; without it, the one before the command holds.

    Args:
        parser: The command.
        text: What its help says of it.
    """
    takes_folder(parser.add_argument("--profiles-dir", metavar="DIR", default=argparse.SUPPRESS, help=text))


def count_up_to(most: int) -> Callable[[str], int]:
    """What reads a number from 1 to this one from the command line, and refuses anything else."""

    def count(text: str) -> int:
        number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(most)) else 0
        if not 1 <= number <= most:
            msg = f"must be a number from 1 to {most}"
            raise argparse.ArgumentTypeError(msg)
        return number

    return count


def add_values(parser: argparse.ArgumentParser) -> None:
    """Let a command take `--set`, `--var` and `--vars`; those before the command hold too."""
    parser.add_argument("--set", action="append", default=[], dest="sets", metavar="KEY=VALUE", help="override a value")
    parser.add_argument(
        "--var", action="append", default=[], dest="variables", metavar="NAME=VALUE", help="give a variable its value"
    )
    takes_file(
        parser.add_argument(
            "--vars", metavar="FILE", default=argparse.SUPPRESS, help="give variables the values in a JSON object"
        )
    )


def given_values(args: argparse.Namespace) -> dict[str, Any]:
    """What the flags of a command, and those before it, say for `load_profile`."""
    return {
        "profiles_dir": getattr(args, "profiles_dir", None),
        "sets": [*getattr(args, "set", []), *getattr(args, "sets", [])],
        "variables": [*getattr(args, "var", []), *getattr(args, "variables", [])],
        "variables_file": getattr(args, "vars", None),
    }


def takes_profile(argument: argparse.Action) -> None:
    """Complete an argument with the names of profiles, and with TOML files."""
    _complete(argument, _PROFILES)


def takes_folder(argument: argparse.Action) -> None:
    """Complete an argument with folders."""
    _complete(argument, "directory")


def takes_file(argument: argparse.Action) -> None:
    """Complete an argument with files."""
    _complete(argument, "file")


def _complete(argument: argparse.Action, by: Any) -> None:
    argument.complete = by  # type: ignore[attr-defined]  # shtab looks for it
