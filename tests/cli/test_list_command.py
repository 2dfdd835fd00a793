"""`rt-run list` shows what names mean, broken and shadowed profiles included."""

import json
from pathlib import Path
from typing import Any

GOOD = 'version = 1\ndescription = "Good"\nendpoint.kind = "local"\n'


def _write(root: Path) -> None:
    for name, text in (("profiles/a", GOOD), ("profiles/b", "x = "), ("xdg/rt-run/profiles/a", GOOD)):
        path = root / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_profiles_are_listed_in_the_order_of_search(rt_run: Any, tmp_path: Path) -> None:
    """A broken one is listed as invalid, a hidden one as shadowed."""
    _write(tmp_path)

    code, out, _ = rt_run("list")

    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["NAME", "ENDPOINT", "MODEL", "DESCRIPTION", "PATH"],
        ["a", "local", "-", "Good", "profiles/a.toml"],
        ["b", "invalid", "-", "-", "profiles/b.toml"],
        ["a", "local", "-", "Good", "xdg/rt-run/profiles/a.toml", "(shadowed)"],
    ]


def test_json_and_names(rt_run: Any, tmp_path: Path) -> None:
    """For scripts and for completion."""
    _write(tmp_path)

    rows = json.loads(rt_run("list", "--output", "json").out)

    assert [(row["name"], row["valid"], row["shadowed"]) for row in rows] == [
        ("a", True, False),
        ("b", False, False),
        ("a", True, True),
    ]
    assert rt_run("list", "--names").out == "a\nb\n"


def test_an_empty_list_says_how_to_begin(rt_run: Any) -> None:
    """On standard error, so that scripts read nothing."""
    code, out, err = rt_run("list")

    assert (code, out) == (0, "")
    assert "rt-run init" in err
