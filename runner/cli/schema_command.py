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
    parser.add_argument("--scenario", action="store_true", help="of scenarios, the tests of profiles, instead")
    parser.add_argument("--report", action="store_true", help="of the report of a session instead")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the schema for authors, the one of effective profiles, of reports, or of scenarios."""
    if args.report:
        sys.stdout.write(_report_schema())
        return 0
    if args.scenario:
        from runner.profile.json_schema import file_schema_text
        from runner.scenarios.scenario import Scenario

        sys.stdout.write(file_schema_text(Scenario, "rt-run scenario"))
        return 0
    from runner.profile.json_schema import schema_text

    sys.stdout.write(schema_text(effective=args.effective))
    return 0


def _report_schema() -> str:
    import json

    from runner.journal.report_model import SessionReport
    from runner.profile.descriptions import describe

    schema = SessionReport.model_json_schema()
    describe(schema, SessionReport)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "rt-run report"}
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
