"""`rt-run list` shows what names mean, broken and shadowed profiles included."""

import json
from pathlib import Path
from typing import Any

import pytest

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
    assert [line.split() for line in out.splitlines()[:4]] == [
        ["NAME", "ENDPOINT", "SESSION", "MODEL", "DESCRIPTION", "PATH"],
        ["a", "local", "realtime", "-", "Good", "profiles/a.toml"],
        ["b", "invalid", "-", "-", "-", "profiles/b.toml"],
        ["a", "local", "realtime", "-", "Good", "xdg/rt-run/profiles/a.toml", "(shadowed)"],
    ]


def test_built_in_profiles_come_last_and_are_marked(rt_run: Any, tmp_path: Path) -> None:
    """A file of the same name takes the place of one."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/local.toml").write_text(GOOD)

    code, out, err = rt_run("list")

    assert (code, err) == (0, "")
    assert [(line.split()[0], line.split("  ")[-1].strip()) for line in out.splitlines()[1:]] == [
        ("local", "profiles/local.toml"),
        ("interpret", "(built in)"),
        ("live-local", "(built in)"),
        ("local", "(built in) (shadowed)"),
        ("local-voice", "(built in)"),
        ("transcribe", "(built in)"),
    ]
    assert rt_run("list", "--names").out == "local\ninterpret\nlive-local\nlocal-voice\ntranscribe\n"


def test_json_and_names(rt_run: Any, tmp_path: Path) -> None:
    """For scripts and for completion."""
    _write(tmp_path)

    rows = json.loads(rt_run("list", "--output", "json").out)

    assert [(row["name"], row["valid"], row["shadowed"]) for row in rows if not row["built_in"]] == [
        ("a", True, False),
        ("b", False, False),
        ("a", True, True),
    ]
    assert rt_run("list", "--names").out.startswith("a\nb\n")


def test_where_nothing_is_ones_own_it_is_said_how_to_begin(rt_run: Any) -> None:
    """On standard error, so that scripts read nothing of it."""
    code, out, err = rt_run("list")

    assert (code, len(out.splitlines())) == (0, 6)
    assert "rt-run init" in err


def test_a_narrow_terminal_gets_short_descriptions(rt_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than two lines for each profile."""
    wide = rt_run("list").out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(len(wide.splitlines()[1]) - 8))
    narrow = rt_run("list").out

    assert [len(line) for line in wide.splitlines()[1:]] == [len(line) + 8 for line in narrow.splitlines()[1:]]
    assert "…  (built in)" in narrow


def test_a_narrower_terminal_gets_no_model_and_no_session(
    rt_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path is its folder, each profile has one line, and what it is for can be read."""
    path = tmp_path / "profiles/openai-transcription.toml"
    path.parent.mkdir()
    path.write_text(GOOD.replace("Good", "Writes down what it hears, a line for each turn of it"))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    lines = rt_run("list").out.splitlines()

    assert lines[0].split() == ["NAME", "ENDPOINT", "DESCRIPTION", "PATH"]
    assert max(map(len, lines)) <= 80
    assert "  Writes down what it hears, a line f…  profiles/" in lines[1]
