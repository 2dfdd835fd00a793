"""What functions print is no part of what a session says."""

import json
import sys
from pathlib import Path

import pytest

from runner.tools.printed_lines import printing_to_log
from tests.helpers.command_process import Command, local
from tests.helpers.log_capture import captured_log

NOISY = """
import os, subprocess
print("imported")

def look() -> str:
    "Look."
    print("looked", end="")
    subprocess.run(["sh", "-c", "printf 'a child\\nhas looked'"])
    os.write(1, b"\\xff a library\\n")
    return "seen"
"""
PROFILE = """
[[tools]]
name = "look"
run = { kind = "python", function = "noisy_tool:look", path = "." }
"""
SCRIPT = 'endpoint.script=[{match="hi",calls=[{name="look"}]},{output="seen",reply="Done."}]'


def test_lines_are_logged_whole_and_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever pieces they come in; what was begun is not lost."""
    with captured_log() as lines, printing_to_log():
        sys.stdout.writelines(["one", " 2"])
        sys.stdout.flush()
        sys.stdout.writelines(["\n\nthree\nfour\n", "x" * 5000, "end"])
        assert sys.stdout.writable()
        assert sys.stdout.isatty() is False

    assert [line["text"] for line in lines] == ["one 2", "three", "four", "x" * 999 + "…", "end"]
    assert capsys.readouterr().out == ""


def test_standard_output_is_the_sessions(tmp_path: Path) -> None:
    """A function that prints tears no answer, nor does a program that it starts."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "noisy_tool.py").write_text(NOISY)
    name = local(tmp_path, more=PROFILE)

    ended = Command("-p", name, "--ask", "hi", "--set", SCRIPT, folder=tmp_path).end()

    assert (ended.code, ended.stdout) == (0, "Done.\n"), ended.stderr
    printed = [line["text"] for line in map(json.loads, ended.stderr.splitlines()) if line["event"] == "tool_printed"]
    assert sorted(printed) == ["a child", "has looked\ufffd a library", "imported", "looked"]
