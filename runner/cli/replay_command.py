"""`rt-run replay`: a session's journal as a timeline for people, or as JSON."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from runner.cli.arguments import add_command, takes_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.journal.timeline import Timeline


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "replay",
        does="show a recorded session as a timeline",
        more="A profile with a table [journal] records its sessions.",
        examples=["rt-run replay journal/support-1.jsonl", "rt-run replay --output json journal/*.jsonl"],
    )
    takes_file(
        parser.add_argument(
            "journals", nargs="+", metavar="JOURNAL", help="a journal; FILE.1, FILE.2 … are read before it"
        )
    )
    parser.add_argument("--output", choices=("text", "json"), default="text", help="the form of the output")
    parser.add_argument(
        "--report", action="store_true", help="print the report of each session instead, a line of JSON each"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every session of the journals; lines that are no records are reported and left out."""
    import os
    import shutil

    from runner.cli.timeline_text import Palette, text

    shown = list(_timelines(args.journals))
    if args.report:
        from runner.journal.session_report import report_of

        for each in shown:
            sys.stdout.write(report_of(each).model_dump_json(exclude_none=True) + "\n")
        return 0
    if args.output == "json":
        import json

        sys.stdout.write(json.dumps([_document(each) for each in shown], indent=2) + "\n")
        return 0
    terminal = sys.stdout.isatty()
    coloured = not os.environ.get("NO_COLOR") and (terminal or bool(os.environ.get("FORCE_COLOR")))
    width = shutil.get_terminal_size().columns if terminal else None
    pages = (text(each, Palette(coloured=coloured), width=width) for each in shown)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write("\n\n".join(pages).encode(encoding, "replace").decode(encoding))
    return 0


def _timelines(names: list[str]) -> Iterator[Timeline]:
    from pathlib import Path

    from runner.journal.reading import parts, read_journal
    from runner.journal.timeline import timelines

    read: set[Path] = set()
    for path in map(Path, names):
        if path in read:
            # A pattern such as `session.jsonl*` names the set-aside files too.
            continue
        read.update(parts(path))
        found = list(timelines(read_journal(path, _warn)))
        if not found:
            _warn(f"{path} is empty: nothing was recorded")
        yield from found


def _document(timeline: Timeline) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "session": asdict(timeline.header),
        "rows": [asdict(row) for row in timeline.rows],
        "summary": asdict(timeline.summary()),
    }


def _warn(message: str) -> None:
    from runner.protocol.severity import plain

    print(f"warning: {plain(message)}", file=sys.stderr)
