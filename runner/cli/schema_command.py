"""`rt-run schema`: the JSON Schema of profiles, for editors and linters."""

import argparse
import sys
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser("schema", help="print the JSON Schema of profiles")
    parser.add_argument(
        "--effective", action="store_true", help="of whole profiles, as `extends` and defaults complete them"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the schema for authors, or the one of effective profiles."""
    from runner.profile.json_schema import schema_text

    sys.stdout.write(schema_text(effective=args.effective))
    return 0
