"""`rt-run schema`: the JSON Schema of profiles, for editors and linters."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from runner.cli.arguments import add_command

if TYPE_CHECKING:
    from pydantic import BaseModel


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
    parser.add_argument("--scenario", action="store_true", help="of scenarios, the tests of profiles, instead")
    parser.add_argument("--report", action="store_true", help="of the report of a session instead")
    parser.add_argument("--row", action="store_true", help="of a row of a batch instead")
    parser.add_argument("--result", action="store_true", help="of the result of such a row instead")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the schema for authors, the one of effective profiles, or that of something else than a profile."""
    if args.report or args.row or args.result:
        sys.stdout.write(_written_schema(args))
        return 0
    if args.scenario:
        from runner.profile.json_schema import file_schema_text
        from runner.scenarios.scenario import Scenario

        sys.stdout.write(file_schema_text(Scenario, "rt-run scenario"))
        return 0
    from runner.profile.json_schema import schema_text

    sys.stdout.write(schema_text(effective=args.effective))
    return 0


def _written_schema(args: argparse.Namespace) -> str:
    """The schema of a line that programs write or read."""
    import json

    from runner.profile.descriptions import describe

    model, title = _written_model(args)
    schema = model.model_json_schema()
    describe(schema, model)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _written_model(args: argparse.Namespace) -> tuple[type["BaseModel"], str]:
    """What is asked for, and what it is called."""
    if args.report:
        from runner.journal.report_model import SessionReport

        return SessionReport, "rt-run report"
    if args.row:
        from runner.batches.batch_row import RowLine

        return RowLine, "rt-run row of a batch"
    from runner.batches.batch_result import BatchResult

    return BatchResult, "rt-run result of a row"
