"""`rt-run list`: the profiles that names can mean, those that are built in last."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from runner.cli.arguments import add_command, add_profiles_dir
from runner.cli.plain_text import plain_line, write_plain

if TYPE_CHECKING:
    from pathlib import Path


_DESCRIPTION = "DESCRIPTION"
_LEAST_DESCRIPTION = 36
"""The least that is left of descriptions where there is a model or a session to leave out instead, in letters."""


def add_parser(subparsers: Any) -> None:
    """Add the command to the command line."""
    parser = add_command(
        subparsers,
        "list",
        does="list the profiles that names can mean",
        more="Of two with one name the first is meant; those that are built in come last.",
        examples=["rt-run list", "rt-run list --output json"],
    )
    parser.add_argument("--output", choices=("text", "json"), default="text", help="the form of the list")
    parser.add_argument("--names", action="store_true", help="print the names only, without reading the files")
    add_profiles_dir(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every profile; broken ones are listed as invalid, hidden ones as shadowed."""
    import os
    import shutil
    from pathlib import Path

    from runner.profile.builtin_profiles import is_builtin
    from runner.profile.locate import known

    folder = getattr(args, "profiles_dir", None)
    paths = list(known(Path(folder) if folder else None, os.environ))
    if args.names:
        names = dict.fromkeys(path.stem for path in paths)
        write_plain("".join(f"{name}\n" for name in names if name.isprintable() and " " not in name))
        return 0
    rows: list[dict[str, Any]] = []
    for path in paths:
        rows.append({**_row(path), "shadowed": any(row["name"] == path.stem for row in rows)})
    if args.output == "json":
        import json

        write_plain(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    else:
        write_plain(_table(rows, width=shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
        if all(map(is_builtin, paths)):
            print("these are built in; `rt-run init NAME --kind KIND` writes one of your own", file=sys.stderr)
    return 0


def _row(path: Path) -> dict[str, Any]:
    from runner.errors import ProfileError
    from runner.profile import load_profile
    from runner.profile.builtin_profiles import is_builtin
    from runner.profile.layers import shown

    is_own = not is_builtin(path)
    row: dict[str, Any] = {"name": path.stem, "kind": None, "session": None, "model": None, "description": ""}
    row |= {"path": shown(path) if is_own else str(path), "built_in": not is_own}
    try:
        profile = load_profile(str(path)).profile
    except ProfileError:
        return {**row, "valid": False}
    row |= {"kind": profile.endpoint.kind, "session": profile.session.type, "description": profile.description}
    return {**row, "model": profile.model.name if profile.model else None, "valid": True}


def _table(rows: list[dict[str, Any]], *, width: int | None) -> str:
    """The rows as people read them.

    Where they are wider than a terminal, a path is cut to its folder and descriptions are cut, and where that is not
    enough, the model and the session are left out.
    """
    cells, shown = _cells(rows), [0, 1, 2, 3, 4]
    widths = _widths(cells)
    if width is not None and _room(width, widths, shown) < widths[4]:
        cells = _cells(rows, has_files=False)
        widths = _widths(cells)
        for column in (3, 2):
            if _room(width, widths, shown) < min(_LEAST_DESCRIPTION, widths[4]):
                shown.remove(column)
        widths[4] = max(len(_DESCRIPTION), min(widths[4], _room(width, widths, shown)))
    return "".join(
        "  ".join(_fitted(line[column], widths[column]) for column in shown) + f"  {line[5]}\n" for line in cells
    )


def _cells(rows: list[dict[str, Any]], *, has_files: bool = True) -> list[tuple[str, ...]]:
    cells: list[tuple[str, ...]] = [("NAME", "ENDPOINT", "SESSION", "MODEL", _DESCRIPTION, "PATH")]
    for row in rows:
        path = "(built in)" if row["built_in"] else row["path"]
        if not has_files and not row["built_in"]:
            path = path.removesuffix(f"{row['name']}.toml") or "./"
        path = f"{path} (shadowed)" if row["shadowed"] else path
        description = " ".join(row["description"].split())
        line = (row["name"], row["kind"] or "invalid", row["session"], row["model"], description, path)
        cells.append(tuple(plain_line(each or "-") for each in line))
    return cells


def _widths(cells: list[tuple[str, ...]]) -> list[int]:
    return [max(len(line[column]) for line in cells) for column in range(6)]


def _room(width: int, widths: list[int], shown: list[int]) -> int:
    """How many letters of a terminal's width are left for descriptions."""
    return width - widths[5] - sum(widths[column] for column in shown if column != 4) - 2 * len(shown)


def _fitted(cell: str, width: int) -> str:
    return cell.ljust(width) if len(cell) <= width else f"{cell[: width - 1]}…"
