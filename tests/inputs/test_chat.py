"""The chat at a terminal, through a real pseudo-terminal."""

import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.command_process import local

CTRL_C, CTRL_D, UP = "\x03", "\x04", "\x1b[A"
PROMPT = "\x1b[?2004h"
"""What the prompt begins with: the terminal is asked to mark what is pasted."""


class Terminal:
    """Somebody who sits at a terminal with `rt-run` in it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.seen = ""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            kept = {
                name: os.environ[name]
                for name in ("PATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
                if name in os.environ
            }
            environment = {**kept, "HOME": str(folder), "TERM": "xterm", "XDG_STATE_HOME": str(folder / "state")}
            os.execve(sys.executable, [sys.executable, "-m", "runner", *arguments], environment)  # noqa: S606  # no shell

    def types(self, keys: str) -> None:
        """Type."""
        os.write(self.descriptor, keys.encode())

    def sees(self, text: str, *, within_s: float = 15) -> str:
        """Wait until this shows on the screen; returns what showed up to it."""
        end_s = time.monotonic() + within_s
        while text not in self.seen:
            assert time.monotonic() < end_s, f"no {text!r} in {self.seen!r}"
            self._read(0.1)
        shown, _, self.seen = self.seen.partition(text)
        return shown + text

    def left(self, *, within_s: float = 15) -> int:
        """The exit code, once the program has ended."""
        end_s = time.monotonic() + within_s
        while time.monotonic() < end_s:
            self._read(0.05)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        msg = f"it did not leave: {self.seen!r}"
        raise AssertionError(msg)

    def close(self) -> None:
        """Leave nothing behind."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.descriptor)

    def _read(self, timeout_s: float) -> None:
        if select.select([self.descriptor], [], [], timeout_s)[0]:
            try:
                self.seen += os.read(self.descriptor, 65536).decode(errors="replace")
            except OSError:
                # Linux reports the end of the other side as an error.
                time.sleep(timeout_s)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A chat with the local endpoint, slow enough to be interrupted."""
    it = Terminal(tmp_path, "--profile", local(tmp_path, interval_ms=100), "-q")
    yield it
    it.close()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_chat_from_prompt_to_farewell(terminal: Terminal, tmp_path: Path) -> None:
    """Prompt, answer, prompt, answer, Ctrl-D; what was said is in the history, for the owner's eyes only."""
    terminal.sees(PROMPT)
    terminal.types("Hello\r")
    terminal.sees("You said: Hello")
    terminal.sees(PROMPT)
    terminal.types("What is 2+2?\r")
    terminal.sees("You said: What is 2+2?")
    terminal.sees(PROMPT)
    terminal.types(CTRL_D)

    assert terminal.left() == 0
    history = tmp_path / "state" / "rt-run" / "history"
    assert "+What is 2+2?" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_ctrl_c_stops_the_answer_and_not_the_chat(terminal: Terminal) -> None:
    """The answer ends early, the prompt is back, history gives the question again."""
    terminal.sees(PROMPT)
    terminal.types("one two three four five six seven eight nine ten\r")
    terminal.sees("You said: one")
    terminal.types(CTRL_C)
    shown = terminal.sees(PROMPT)
    terminal.types(f"{UP}\r")
    terminal.sees("You said: one two three four five six seven eight nine ten")

    assert "ten" not in shown
    terminal.sees(PROMPT)
    terminal.types(CTRL_C)
    terminal.sees("Ctrl-D leaves")
    terminal.sees(PROMPT)
    terminal.types(CTRL_D)
    assert terminal.left() == 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_at_the_prompt_gives_the_terminal_back(terminal: Terminal, number: signal.Signals, code: int) -> None:
    """The chat leaves in good order: the line discipline is as it was."""
    terminal.sees(PROMPT)
    time.sleep(0.3)
    os.kill(terminal.pid, number)

    assert terminal.left() == code
    assert "Traceback" not in terminal.seen
    assert "\x1b[?2004l" in terminal.seen
