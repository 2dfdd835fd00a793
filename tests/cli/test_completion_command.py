"""Completion scripts complete commands, flags, choices and profile names."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SHELLS = ("bash", "zsh", "fish")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_right_for_its_shell(rt_run: Any, tmp_path: Path, shell: str) -> None:
    """The shell itself reads it without running it."""
    script = tmp_path / f"rt-run.{shell}"
    script.write_text(rt_run("completion", shell).out)
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")

    done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rt-run", "che"], {"check"}),
        (["rt-run", "check", "--out"], {"--output"}),
        (["rt-run", "check", "--output", ""], {"text", "json", "github"}),
        (["rt-run", "check", "azure-p"], {"azure-prod"}),
        (["rt-run", "--profile", "azure-"], {"azure-prod", "azure-key"}),
        (["rt-run", "init", "x", "--kind", "azure"], {"azure", "azure-key"}),
        (["rt-run", "completion", "z"], {"zsh"}),
        (["rt-run", "--prof"], {"--profile", "--profiles-dir"}),
    ],
)
def test_bash_completes(rt_run: Any, tmp_path: Path, words: list[str], expected: set[str]) -> None:
    """The function is called as bash calls it; `rt-run list --names` is a stand-in."""
    stub = tmp_path / "bin/rt-run"
    stub.parent.mkdir()
    stub.write_text("#!/bin/sh\nprintf 'azure-prod\\nazure-key\\nlocal\\n'\n")
    stub.chmod(0o755)
    (tmp_path / "script").write_text(rt_run("completion", "bash").out)
    program = 'source ./script; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rt_run; printf "%s\\n" "${COMPREPLY[@]}"'

    done = subprocess.run(
        ["bash", "-c", program, "bash", *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{stub.parent}:{os.environ['PATH']}"},
    )

    assert set(done.stdout.split()) == expected
    assert done.stderr == ""
