"""`rt-run schema`: the JSON Schema of profiles, for editors and linters."""

import argparse
import sys
from typing import Any

from runner.cli.arguments import add_command


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "schema",
        does="print the JSON Schema of profiles",
        more="Editors complete and check profiles with it.",
        examples=["mkdir -p schemas && rt-run schema > schemas/profile.schema.json"],
    )
    parser.add_argument(
        "--effective", action="store_true", help="of whole profiles, as `extends` and defaults complete them"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the schema for authors, or the one of effective profiles."""
    from runner.profile.json_schema import schema_text

    sys.stdout.write(schema_text(effective=args.effective))
    return 0
