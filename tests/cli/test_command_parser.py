"""What does not fit on the command line: the word that is wrong is named, and what was meant."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from runner.cli.main import _parser

GOOD = 'version = 1\nendpoint.kind = "local"\n'


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        ("--profil local", "there is no flag --profil", "did you mean --profile?"),
        ("--profil=local", "there is no flag --profil", "did you mean --profile?"),
        ("-V", "there is no flag -V", "did you mean --version?"),
        ("-P local", "there is no flag -P", "did you mean --profile?"),
        ("-p local --quite", "there is no flag --quite", "did you mean --quiet?"),
        ("-p local --zzz", "there is no flag --zzz", "`rt-run --help` lists what there is"),
        ("local", "there is no command 'local'", "did you mean rt-run --profile local?"),
        ("loca", "there is no command 'loca'", "did you mean rt-run --profile local?"),
        ("x/y.toml", "there is no command 'x/y.toml'", "did you mean rt-run --profile x/y.toml?"),
        ("chek local", "there is no command 'chek'", "did you mean rt-run check?"),
        ("help", "there is no command 'help'", "did you mean rt-run --help?"),
        ("run", "there is no command 'run'", "did you mean rt-run --profile NAME?"),
        ("run -v local", "there is no command 'run'", "did you mean rt-run --profile local?"),
        ("-p local Why?", "there is no command 'Why?'", "to ask something: rt-run --profile NAME --ask TEXT"),
        ("zzz", "there is no command 'zzz'", "`rt-run --help` lists the commands"),
        ("check local --outptu json", "check: there is no flag --outptu", "did you mean --output?"),
        ("check --profile local", "check: there is no flag --profile", "write the name alone: rt-run check NAME"),
        ("list -v", "list: there is no flag -v", "it stands before the command: rt-run -v list"),
        ("check --output jsn", "--output: there is no 'jsn'", 'did you mean "json"?'),
        (
            "init x --kind gemini",
            "--kind: there is no 'gemini'",
            'it is "local", "local-voice", "transcribe"',
        ),
        ("completion bsh", "SHELL: there is no 'bsh'", 'did you mean "bash"?'),
        ("show a b", "show: b is too much", "`rt-run show --help` lists what there is"),
        ("init x --kind voice", "--kind: there is no 'voice'", 'did you mean "local-voice" or "openai-voice"?'),
        ("show", "the following arguments are required: NAME|PATH", "such as: rt-run show support"),
        ("-p", "-p/--profile: nothing stands after it", "write --profile NAME|PATH"),
        ("test -k", "-k: nothing stands after it", "write -k WORD"),
        ("check x --output", "--output: nothing stands after it", "write --output text|json|github"),
        ("sk-proj-abcdefghijkl", "there is no command '[hidden]'", "`rt-run --help` lists the commands"),
        ("check a --api-key=sk-proj-abcdefghijkl", "check: there is no flag --api-key", "`rt-run check --help` lists"),
    ],
)
def test_the_wrong_word_is_named(rt_run: Any, tmp_path: Path, arguments: str, problem: str, hint: str) -> None:
    """With exit code 2, on standard error, and without the usage of everything else."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/local.toml").write_text(GOOD)

    code, out, err = rt_run(*arguments.split())

    assert (code, out) == (2, "")
    told, advice = err.splitlines()
    assert told == f"rt-run: {problem}"
    assert advice.startswith(f"  hint: {hint}")


@pytest.mark.parametrize("arguments", ["-qv --version", "-v --log-format=json --version", "check --help", "--help"])
def test_what_fits_is_taken(rt_run: Any, arguments: str) -> None:
    """Short flags together, values attached, and help."""
    assert rt_run(*arguments.split()).code == 0


def test_where_nothing_is_named_it_is_said_how_to_begin(rt_run: Any, tmp_path: Path) -> None:
    """With the profiles that there are, if there are any of one's own."""
    empty = rt_run()
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/mine.toml").write_text(GOOD)
    filled = rt_run()

    assert (empty.code, empty.out, filled.code, filled.out) == (2, "", 2, "")
    assert "  rt-run --profile local " in empty.err
    assert "  rt-run init my-agent --kind openai " in empty.err
    (more,) = set(filled.err.splitlines()) - set(empty.err.splitlines())
    assert more.split() == ["rt-run", "--profile", "NAME", "a", "session", "of", "mine"]


def test_every_help_has_a_sentence_and_an_example() -> None:
    """Of a command line that begins with the command itself."""
    (commands,) = (each for each in _parser()._actions if isinstance(each, argparse._SubParsersAction))

    for name, command in commands.choices.items():
        assert command.description.endswith("."), name
        assert f"rt-run {name}" in command.epilog.partition("examples:\n")[2], name
