"""`rt-run init`: a commented profile to start from."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any

from runner.cli.arguments import takes_folder

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("local", "openai", "openai-transcription", "azure", "azure-key", "custom")
"""The templates, one for each kind of start."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("init", help="write a commented profile to start from")
    parser.add_argument("name", metavar="NAME", help="the profile's name")
    parser.add_argument("--kind", choices=KINDS, required=True, help="where the profile connects")
    takes_folder(
        parser.add_argument(
            "--dir", default="profiles", metavar="DIR", help="the folder to write to (default: profiles)"
        )
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the profile and say what to do next.

    Raises:
        UsageError: The name is not one, the file exists, or it cannot be written.
    """
    from pathlib import Path

    from runner.errors import UsageError, reason_of

    name = args.name.removesuffix(".toml")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{args.name!r} is not a profile's name", hint="use letters, digits, dots, dashes and underscores"
        )
    text = Path(__file__).with_name("templates").joinpath(f"{args.kind}.toml").read_text(encoding="utf-8")
    path = Path(args.dir) / f"{name}.toml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already", hint="choose another name; nothing is overwritten") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {reason_of(error).lower()}") from None
    sys.stdout.write("".join(f"{line}\n" for line in [f"wrote {path}", *_next_steps(path, args.kind)]))
    return 0


def _next_steps(path: Path, kind: str) -> list[str]:
    steps = {
        "local": [],
        "openai": ["export OPENAI_API_KEY=…"],
        "openai-transcription": ["export OPENAI_API_KEY=…"],
        "azure": ["set endpoint.base_url and model.name in it", "pip install 'rt-run[azure]' && az login"],
        "azure-key": ["set endpoint.base_url and model.name in it", "export AZURE_OPENAI_API_KEY=…"],
        "custom": ["set endpoint.base_url in it"],
    }[kind]
    folder = path.parent.parent / "schemas"
    schema = folder / "profile.schema.json"
    editor = (
        [] if schema.exists() else [f"for completion in your editor: mkdir -p {folder} && rt-run schema > {schema}"]
    )
    return ["next:", *(f"  {step}" for step in [*steps, f"rt-run check {path}", f"rt-run --profile {path}", *editor])]
