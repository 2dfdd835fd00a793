"""What a user sees of a chat: `python -m tests.terminal.captures` writes docs/terminal.md anew.

A shell runs in a terminal that is drawn in memory, and somebody types. Nothing waits for certain words, so that another
version can be looked at too: `--command PATH --columns 40 80 120 --output FILE`.
"""

import argparse
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.helpers.pseudo_terminal import CTRL_C, CTRL_D, PASTE, ShownTerminal

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "terminal.md"
CTRL_Z = "\x1a"
QUIET_S = 0.8
"""A terminal on which nothing has changed for so long shows what there is to see."""
LONGEST_S = 20.0
SLOW = "--set endpoint.delta_interval_ms=150"
LOCAL = "rt-run --profile local"
GATEWAY = """\
version = 1
[endpoint]
kind = "custom"
base_url = "http://127.0.0.1:9/v1"
[model]
name = "gateway"
[session]
output_modalities = ["text"]
[run.reconnect]
max_attempts = 2
"""
_UNSTEADY = [
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "12:00:00"),
    (re.compile(r"\b(sess|resp)_\w+"), r"\1_C9fQ2"),
    (re.compile(r"\brun_id=\w+"), "run_id=4f1c2a9be310"),
    (re.compile(r"\b(took_s|duration_s)=[\d.]+"), r"\1=0.3"),
    (re.compile(r"\bexpires_at=\d+"), "expires_at=1795951210"),
    (re.compile(r"after \d+\.\d+ s"), "after 0.3 s"),
    (re.compile(r"· \d+\.\d+ s\b"), "· 2.1 s"),
]


class Shell(ShownTerminal):
    """A terminal with a shell in it.

    Args:
        columns: Its width.
        command: Which `rt-run` is meant.
        folder: The working directory, and the user's home.
    """

    def __init__(self, columns: int, command: Path, folder: Path) -> None:
        super().__init__(columns)
        environment = {
            "PATH": f"{command.parent}:/usr/bin:/bin",
            "HOME": str(folder),
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "PS1": "$ ",
        }
        program = ["setsid", "--ctty", "bash", "--norc", "--noprofile", "-i"]
        side = self.side
        self._process = subprocess.Popen(program, cwd=folder, env=environment, stdin=side, stdout=side, stderr=side)
        os.close(side)
        self.settles()

    def settles(self, quiet_s: float = QUIET_S) -> None:
        """Take what comes until nothing has come for a while."""
        end_s = time.monotonic() + LONGEST_S
        while time.monotonic() < end_s and select.select([self.descriptor], [], [], quiet_s)[0]:
            self._read(0)

    def waits_for(self, text: str, *, times: int = 1) -> None:
        """Take what comes until this shows so many times; what never shows it is captured as it is."""
        end_s = time.monotonic() + LONGEST_S
        while self.shown.count(text) < times and time.monotonic() < end_s:
            self._read(0.1)

    def enters(self, text: str) -> None:
        """Type a line, and take what comes of it."""
        self.types(f"{text}\r")
        self.settles()

    def chats(self, flags: str = "") -> None:
        """Start a chat, and wait until it asks."""
        self.types(f"{LOCAL}{flags and ' '}{flags}\r")
        self.waits_for("\n>")
        self.settles(0.3)

    def asks(self, text: str, *, until: str) -> None:
        """Ask something, and wait for this word of the answer."""
        times = self.shown.count(until) + 1
        self.types(f"{text}\r")
        self.waits_for(until, times=times)

    def leaves(self) -> None:
        """Leave the shell, with whatever is in it."""
        self._process.kill()
        self._process.wait()
        self.close()


def start(shell: Shell) -> None:
    """Start a chat."""
    shell.chats()


def answer(shell: Shell) -> None:
    """Ask twice, and leave."""
    shell.chats()
    shell.asks("What is 2 + 2?", until="another one.")
    shell.settles()
    shell.asks("Hello", until="anything.")
    shell.settles()
    shell.types(CTRL_D)
    shell.settles()


def logs(shell: Shell) -> None:
    """Ask with the log on the terminal."""
    shell.chats("-v")
    shell.asks("Hello", until="anything.")
    shell.settles()
    shell.types(CTRL_D)
    shell.settles()


def loss(shell: Shell) -> None:
    """Ask, and lose the connection in mid-answer."""
    shell.chats("--set 'endpoint.faults=[{ kind = \"drop\", after_events = 10 }]'")
    shell.asks("Hello", until="anything.")
    shell.settles()


def resize(shell: Shell) -> None:
    """Ask, and make the terminal half as wide in mid-answer."""
    shell.chats(SLOW)
    shell.asks("Hello", until="endpoint.")
    shell.resizes(shell.columns // 2)
    shell.waits_for("anything.")
    shell.settles()


def stopped(shell: Shell) -> None:
    """Ask, and stop the answer."""
    shell.chats(SLOW)
    shell.asks("Hello", until="I am")
    shell.types(CTRL_C)
    shell.settles()


def left(shell: Shell) -> None:
    """Ask, and leave in mid-answer."""
    shell.chats(SLOW)
    shell.asks("Hello", until="I am")
    shell.types(CTRL_D)
    shell.waits_for("anything.")
    shell.settles()


def suspended(shell: Shell) -> None:
    """Ask, suspend the chat, and go on with it."""
    shell.chats()
    shell.asks("Hello", until="anything.")
    shell.settles()
    shell.types(CTRL_Z)
    shell.settles()
    shell.enters("echo meanwhile")
    shell.types("fg\r")
    shell.waits_for("\n>", times=3)
    shell.asks("What is 2 + 2?", until="another one.")
    shell.settles()


def pasted(shell: Shell) -> None:
    """Paste ten lines, and send them."""
    shell.chats()
    shell.types(PASTE.format("\n".join(f"line {number} of ten" for number in range(1, 11))))
    shell.settles()
    shell.enters("")


def failing(shell: Shell) -> None:
    """Start a session whose endpoint is not there."""
    shell.types("rt-run --profile gateway; echo $?\r")
    shell.waits_for("\n69")
    shell.settles()


SCENES: dict[str, tuple[str, Callable[[Shell], None]]] = {
    "The start": ("", start),
    "An answer, and the end": ("Ctrl-D on an empty line leaves.", answer),
    "A lost connection": ("The answer that it has cut is asked for again.", loss),
    "Another width in mid-answer": ("The terminal is made half as wide, and cuts the rows that it has.", resize),
    "Ctrl-C in mid-answer": ("It stops the answer, and the session goes on.", stopped),
    "Ctrl-D in mid-answer": ("The answer is heard out, then the session ends.", left),
    "Ctrl-Z, and fg": ("", suspended),
    "Ten lines, pasted": ("They are one message, sent by Enter.", pasted),
    "A start that fails": ("", failing),
    "The log": ("With `-v` it stands between the words.", logs),
}


LEFT_OUT = {"The log"}
"""What is looked at, and not on the page: rows of ids."""


def captured(title: str, columns: int, command: Path) -> str:
    """What the terminal shows after a scene."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "profiles").mkdir()
        (Path(folder) / "profiles" / "gateway.toml").write_text(GATEWAY)
        if (profile := command.parents[2] / "profiles" / "local.toml").exists():
            shutil.copy(profile, Path(folder) / "profiles")
        shell = Shell(columns, command.absolute(), Path(folder))
        try:
            SCENES[title][1](shell)
            return shell.shown
        finally:
            shell.leaves()


def steady(text: str) -> str:
    """The same whenever it is captured: without ids and times."""
    for pattern, instead in _UNSTEADY:
        text = pattern.sub(instead, text)
    return text


def main() -> None:
    """Write the page, or what another version shows."""
    parser = argparse.ArgumentParser(description="Capture what a chat shows.")
    parser.add_argument("--command", type=Path, default=Path(sys.executable).with_name("rt-run"))
    parser.add_argument("--columns", type=int, nargs="+", default=[80])
    parser.add_argument("--only", default="", help="a part of the title of the scenes to capture")
    parser.add_argument("--output", type=Path, default=PAGE)
    options = parser.parse_args()
    parts = [_INTRODUCTION]
    for title, (text, _) in SCENES.items():
        if options.only.lower() in title.lower() and (options.output != PAGE or title not in LEFT_OUT):
            parts += [f"## {title}", *filter(None, [text])]
            for columns in options.columns:
                parts.append(f"```console\n{steady(captured(title, columns, options.command))}\n```")
    options.output.write_text("\n\n".join(parts) + "\n")


_INTRODUCTION = """\
# What a chat shows

Captured from a terminal of 80 columns by `python -m tests.terminal.captures`, which writes this page.
[chat.md](chat.md) says what there is to do in a chat, [voice.md](voice.md) shows a spoken one."""

if __name__ == "__main__":
    main()
