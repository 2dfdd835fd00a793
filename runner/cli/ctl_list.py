"""The sessions that run, as a table or as JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.cli.plain_text import plain_line, write_plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.operations.control_client import ControlClient

_HEAD = ("PROFILE", "SESSION", "STATE", "AGE", "TURNS", "COST", "PROVIDER")


def list_sessions(socket: str | None, *, json: bool, environ: Mapping[str, str]) -> int:
    """Print all sessions that run here and can be controlled, or those behind one socket; returns 0."""
    from runner.errors import SessionAbsent
    from runner.operations.control_client import ControlClient, FoundSocket, found_sockets

    found = [FoundSocket(Path(socket), ControlClient(Path(socket)))] if socket else found_sockets(environ)
    sessions: list[dict[str, Any]] = []
    for path, client in found:
        place = {"socket": str(path)}
        try:
            told = _told_by(client) if client else None
        except SessionAbsent:
            continue
        silent = {"profile": path.name.removesuffix(".sock"), "state": "not answering"}
        sessions += [{**each, **place} for each in (told or [silent])]
    if sessions or json:
        print_sessions(sessions, json=json)
    else:
        sys.stderr.write("no session that can be controlled runs here; a profile's [control] lets it be\n")
    return 0


def _told_by(client: ControlClient) -> list[dict[str, Any]]:
    with client:
        return [{**each, "pid": client.greeting["pid"]} for each in client.request("status")["sessions"]]


def print_sessions(sessions: Sequence[Mapping[str, Any]], *, json: bool) -> None:
    """Print sessions, as a table for people or as JSON."""
    if json:
        from json import dumps

        write_plain(dumps(sessions, indent=2, ensure_ascii=False) + "\n")
        return
    rows = [_HEAD, *(_row(each) for each in sessions)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        write_plain(f"{line.rstrip()}\n")


def _row(session: Mapping[str, Any]) -> tuple[str, ...]:
    cost = session.get("cost")
    cells = (
        session["profile"],
        session.get("session", "-"),
        session["state"],
        _age(session["age_s"]) if "age_s" in session else "-",
        session.get("turns", "-"),
        "-" if cost is None else f"{cost:.4f}",
        session.get("provider", "-"),
    )
    return tuple(plain_line(str(each)) for each in cells)


def _age(seconds: float) -> str:
    """A time for people: 42s, 3m05s, 2h10m, 5d03h."""
    minutes, hours, days = int(seconds) // 60, int(seconds) // 3600, int(seconds) // 86400
    if days:
        return f"{days}d{hours % 24:02}h"
    if hours:
        return f"{hours}h{minutes % 60:02}m"
    return f"{minutes}m{int(seconds) % 60:02}s" if minutes else f"{int(seconds)}s"
