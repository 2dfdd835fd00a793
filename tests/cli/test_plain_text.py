"""What a profile holds never moves the cursor of whoever reads about it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from runner.cli.plain_text import plain, plain_line

EVIL = "\x1b]0;title\x07\x9b2J\x7f\u202egpj.exe\r"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 你 🙂\nsecond", "plain ä 你 🙂\nsecond"),
        ("\x1b[2J", "\\u001b[2J"),
        ("\x9b2J\x7f", "\\u009b2J\\u007f"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("a\r\tb", "a\\r\\tb"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\udb40\\udc41"),
    ],
)
def test_what_is_not_printable_is_an_escape(text: str, shown: str) -> None:
    """JSON's own, so that JSON means what it meant."""
    assert plain(text) == shown
    assert json.loads(f'"{plain(text)}"', strict=False) == text


def test_a_line_stays_one_line() -> None:
    """A name may have a line break in it."""
    assert plain_line("a\nb") == "a\\nb"


def _toml(text: str) -> str:
    return json.dumps(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("list", "--output", "json"),
        ("show", "good"),
        ("show", "good", "--output", "json"),
        ("show", "good", "--request"),
        ("check", "--all"),
        ("check", "--all", "--output", "json"),
        ("check", "--all", "--output", "github"),
        ("check", f"no{EVIL}"),
        ("check", f"./no{EVIL}.toml"),
        ("check", "good", "--set", f'run."{EVIL}"=1'),
        ("check", "good", "--set", f"run.{EVIL}"),
        ("show", f"no{EVIL}"),
        ("-p", f"no{EVIL}"),
        (f"no{EVIL}",),
        ("check", f"--no{EVIL}"),
        ("init", f"no{EVIL}", "--kind", "local"),
    ],
)
def test_no_command_shows_a_control_character(
    rt_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """Of names, values, keys, parents, arguments, variables and files, whatever the form."""
    monkeypatch.setenv(f"RT_RUN_{EVIL}".upper().replace("\x00", ""), "1")
    folder = tmp_path / "profiles"
    folder.mkdir()
    good = f'version = 1\ndescription = {_toml(EVIL)}\n[endpoint]\nkind = "local"\n[session]\n'
    good += f'instructions = {_toml(EVIL)}\nextra = {{ {_toml(EVIL)} = "x" }}\n'
    (folder / "good.toml").write_text(good)
    (folder / f"bad{EVIL}\n2.toml").write_text(f"version = 1\n{_toml(EVIL)} = 1\nextends = {_toml(EVIL)}\n")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.toml")).write_text("version = 1\nx = \n")

    _, out, err = rt_run(*arguments)

    shown = (out + err).replace("\n", "")
    assert shown
    assert shown.isprintable()
    assert not any(line.startswith("2.toml") for line in out.splitlines())
    if "json" in arguments:
        json.loads(out)
