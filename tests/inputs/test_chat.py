"""The chat at a terminal: the command at a real pseudo-terminal."""

import json
import signal
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.command_process import local
from tests.helpers.pseudo_terminal import CTRL_C, CTRL_D, PASTE, UP, Terminal

STOPPABLE = "one two three four five six seven eight nine ten"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A chat with the local endpoint, slow enough to be interrupted."""
    it = Terminal(tmp_path, "--profile", local(tmp_path, interval_ms=60))
    yield it
    it.close()


def test_a_chat_from_banner_to_closing_line(terminal: Terminal, tmp_path: Path) -> None:
    """Ctrl-C stops an answer and not the chat, a paste is one question, and what is typed meanwhile waits.

    So does the wish to leave.
    """
    terminal.sees("test: local endpoint · Ctrl-C stops an answer, Ctrl-D leaves")
    terminal.sees("\n>")
    before = termios.tcgetattr(terminal.descriptor)
    terminal.types(f"{STOPPABLE}\r")
    terminal.sees("said: one")
    terminal.types(CTRL_C)
    terminal.sees("(stopped)")
    terminal.types(CTRL_C)
    terminal.sees("Ctrl-D leaves", times=2)
    terminal.types(f"{UP}{CTRL_C}")
    terminal.types(PASTE.format("line 1\nline 2") + "\r")
    terminal.sees("You said: line 1\nline 2")
    terminal.types("/usage\r/save talk.md\r/save talk.md\r/sav\r /sav\r")
    terminal.sees("You said: /sav")
    for told in (
        "2 answers · ",
        "is in talk.md",
        "talk.md exists already",
        "there is no command /sav; /help lists them",
    ):
        terminal.sees(told)
    terminal.types(f"{UP * 8}\r")
    terminal.sees("You said: one", times=2)
    terminal.types("last\r")
    terminal.sees("> last")
    terminal.types(CTRL_D)
    terminal.sees("leaving after this")

    assert terminal.left() == 0
    rows = terminal.shown.splitlines()
    assert rows[-4:-1] == [f"You said: {STOPPABLE}", "> last", "You said: last"]
    assert rows[-1].startswith("5 answers · ")
    assert "ten" not in terminal.shown.split("> line 1\n  line 2")[0].split("You said")[1]
    assert not before[3] & (termios.ICANON | termios.ECHO)
    history = tmp_path / "state" / "rt-run" / "chats" / "test"
    assert "+line 2" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0
    saved = (tmp_path / "talk.md").read_text()
    assert saved.endswith("**User**\n\nline 1\nline 2\n\n**Assistant**\n\nYou said: line 1\nline 2\n\n")


def test_what_is_typed_before_the_chat_is_there_counts(tmp_path: Path) -> None:
    """Also the end of input: so `script -c "rt-run …" <<< x` ends."""
    it = Terminal(tmp_path, "-q", "--profile", local(tmp_path), columns=40)
    it.types(f"Hello\rhalf a line{CTRL_D}{CTRL_D}")
    try:
        assert it.left() == 0
    finally:
        it.close()
    assert it.shown.removesuffix("\n>").endswith("> half a line\nYou said: half a line")


def test_a_signal_at_the_prompt_gives_the_terminal_back(terminal: Terminal) -> None:
    """The chat leaves in good order: the line discipline is as it was."""
    terminal.sees("\n>")
    terminal.process.send_signal(signal.SIGINT)

    assert terminal.left() == 130
    assert termios.tcgetattr(terminal.descriptor)[3] & termios.ICANON
    assert "Traceback" not in terminal.shown


def test_a_terminal_that_only_prints_has_a_chat_too(tmp_path: Path) -> None:
    """One line after another, without a control sequence; the terminal itself edits lines."""
    it = Terminal(tmp_path, "--profile", local(tmp_path), environment={"TERM": "dumb"})
    try:
        it.sees(">")
        it.types("Hello\r")
        it.sees("You said: Hello\n>")
        it.types(CTRL_D)
        assert it.left() == 0
    finally:
        it.close()
    assert it.shown.splitlines() == ["Ctrl-C stops an answer, Ctrl-D leaves", "> Hello", "You said: Hello", ">"]


ASKING = """
[[tools]]
name = "order"
parameters = {{ type = "object", properties = {{ number = {{ type = "string" }} }} }}
approval = "always"
run = {{ kind = "command", argv = ["cat"] }}
"""


def test_the_user_is_asked_whether_a_call_may_run(tmp_path: Path) -> None:
    """Yes runs it, no tells the model; what else is typed meanwhile is the next question."""
    script = [{"match": "order (\\d+)", "calls": [{"name": "order", "arguments": {"number": "\\1"}}]}]
    name = local(tmp_path, more=ASKING.format())
    it = Terminal(tmp_path, "--profile", name, "--set", f"endpoint.script={toml(script)}")
    try:
        it.sees("\n>")
        it.types("order 7\r")
        it.sees('order({"number":"7"}): may it run? y or n')
        it.types("order 8\ry\r")
        it.sees('The function answered: {"number":"7"}')
        it.sees('order({"number":"8"}): may it run? y or n')
        it.types("n\r")
        it.sees("order was not run: The call was denied.\nThe function answered: The call was denied.")
        it.types(CTRL_D)
        assert it.left() == 0
    finally:
        it.close()


def toml(rows: object) -> str:
    """Rows of a script as a value of `--set`."""
    return json.dumps(rows).replace('": ', '" = ')
