"""Completion scripts complete commands, flags, choices, profiles, folders and files, in the shells themselves."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.cli.completion_command import SHELLS

CASES = [
    ("rt-run che", {"check"}),
    ("rt-run check --out", {"--output"}),
    ("rt-run check --output ", {"text", "json", "github"}),
    ("rt-run check azure-p", {"azure-prod"}),
    ("rt-run check azure-key l", {"local"}),
    ("rt-run show --request mi", {"mine.toml"}),
    ("rt-run show py", set()),
    ("rt-run --profile azure-", {"azure-prod", "azure-key"}),
    ("rt-run -p local -p azure-", {"azure-prod", "azure-key"}),
    ("rt-run serve-local -p lo", {"local"}),
    ("rt-run serve-local --journal rec", {"recorded.jsonl"}),
    ("rt-run init x --kind azure", {"azure", "azure-key", "azure-transcription"}),
    ("rt-run init x --dir fol", {"folder"}),
    ("rt-run check --profiles-dir fol", {"folder"}),
    ("rt-run replay recorded.jsonl rec", {"recorded.jsonl"}),
    ("rt-run completion z", {"zsh"}),
    ("rt-run --prof", {"--profile", "--profiles-dir"}),
]
"""A command line before the cursor, and all that it may be completed with."""

_BASH = """
source ./script
compopt() { :; }
for line in "$@"; do
  COMP_WORDS=($line)
  [[ $line == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  COMPREPLY=()
  _shtab_rt_run
  printf '%s\\n' "${COMPREPLY[@]}" ====
done
"""
_ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'source ./inside.zsh'
for line in "$@"; do zpty -w -n shell "$line"$'\\t\\x19'; done
zpty -w -n shell $'\\x18'
while zpty -r shell >screen; do :; done
cat found
"""
_INSIDE_ZSH = """
fpath=($PWD/functions $fpath)
autoload -Uz compinit && compinit -D -u
compadd() {
  local -a hits
  if [[ ${@[1,(i)(-|--)]} != *-[OAD]\\ * ]]; then
    builtin compadd -A hits "$@"
    print -rl -- $hits >>found
  fi
  builtin compadd "$@"
}
next() { print -r -- '====' >>found; BUFFER=; CURSOR=0 }
leave() { exit }
zle -N next && bindkey '^Y' next
zle -N leave && bindkey '^X' leave
"""


@pytest.fixture
def completed(rt_run: Any, tmp_path: Path) -> Callable[[str, list[str]], list[set[str]]]:
    """What a shell completes each of some lines with; `rt-run list --names` is a stand-in."""
    stub = tmp_path / "bin" / "rt-run"
    for folder in ("bin", "folder", "functions"):
        (tmp_path / folder).mkdir()
    for name in ("mine.toml", "pyproject.toml", "recorded.jsonl", "found"):
        (tmp_path / name).touch()
    stub.write_text("#!/bin/sh\nprintf 'azure-prod\\nazure-key\\nlocal\\n'\n")
    stub.chmod(0o755)
    (tmp_path / "inside.zsh").write_text(_INSIDE_ZSH)

    def run(shell: str, lines: list[str]) -> list[set[str]]:
        script = rt_run("completion", shell).out
        (tmp_path / "script").write_text(script)
        (tmp_path / "functions" / "_rt-run").write_text(script)
        command = {
            "bash": ["bash", "--norc", "-c", _BASH, "bash"],
            "zsh": ["zsh", "-f", "-c", _ZSH, "zsh"],
            "fish": [
                "fish",
                "--no-config",
                "-c",
                "source ./script; for line in $argv; complete -C $line; echo ====; end",
            ],
        }
        done = subprocess.run(
            [*command[shell], *lines],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={"PATH": f"{stub.parent}:{os.environ['PATH']}", "HOME": str(tmp_path), "TERM": "dumb", "LC_ALL": "C"},
        )
        assert done.stderr == ""
        words = [word.partition("\t")[0].strip().removesuffix("/") for word in done.stdout.splitlines()]
        found: list[set[str]] = [set()]
        for word in words:
            if word == "====":
                found.append(set())
            elif word:
                found[-1].add(word)
        return found[:-1]

    return run


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_right_for_its_shell(rt_run: Any, tmp_path: Path, shell: str) -> None:
    """The shell itself reads it without running it."""
    script = tmp_path / f"rt-run.{shell}"
    script.write_text(rt_run("completion", shell).out)
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")

    done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes(completed: Callable[[str, list[str]], list[set[str]]], shell: str) -> None:
    """The script runs in its shell as the shell runs it."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    lines = [line for line, _ in CASES]

    assert dict(zip(lines, completed(shell, lines), strict=True)) == dict(CASES)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_what_has_a_help_text_is_described(rt_run: Any, shell: str) -> None:
    """Commands and flags come with the words of their help where the shell shows any."""
    script = rt_run("completion", shell).out

    assert "Validate profiles, offline" in script
    assert "print what is sent first" in script
