"""Push-to-talk, through a real pseudo-terminal."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

IDLE, TALKING = "space: speak", "space: done"
CTRL_D = "\x04"
REPOSITORY = Path(__file__).resolve().parent.parent.parent
TURN = ["input_audio_buffer.clear", "input_audio_buffer.commit", "response.create"]


def _as_a_shell_does() -> None:
    """Start a program in a session of its own, with an interrupt that it hears, whatever started the tests."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """Somebody who sits at a terminal with `tests.helpers.push_to_talk_program` in it."""

    def __init__(self) -> None:
        self.seen = ""
        self.descriptor, side = pty.openpty()
        self.before = termios.tcgetattr(self.descriptor)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.push_to_talk_program"],
            cwd=REPOSITORY,
            stdin=side,
            stdout=subprocess.PIPE,
            stderr=side,
            preexec_fn=_as_a_shell_does,
        )
        os.close(side)

    def types(self, keys: str) -> None:
        """Type."""
        os.write(self.descriptor, keys.encode())

    def sees(self, text: str) -> None:
        """Wait until this shows on the screen."""
        end_s = time.monotonic() + 15
        while text not in self.seen:
            assert time.monotonic() < end_s, f"no {text!r} in {self.seen!r}"
            if select.select([self.descriptor], [], [], 0.1)[0]:
                self.seen += os.read(self.descriptor, 65536).decode()
        self.seen = self.seen.partition(text)[2]

    def report(self) -> Any:
        """What was heard, once the program has ended."""
        out, _ = self.process.communicate(timeout=15)
        assert self.process.returncode == 0
        assert termios.tcgetattr(self.descriptor) == self.before
        return json.loads(out)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal at which somebody may speak."""
    it = Terminal()
    yield it
    it.process.kill()
    it.process.wait()
    it.process.stdout.close()  # type: ignore[union-attr]  # it is a pipe
    os.close(it.descriptor)


def test_what_is_said_between_two_presses_is_a_turn_and_nothing_else_is_heard(terminal: Terminal) -> None:
    """It begins with an empty buffer, interrupts what is heard, and is answered; the terminal is as it was."""
    for _ in range(2):
        terminal.sees(IDLE)
        terminal.types(" ")
        terminal.sees(TALKING)
        time.sleep(0.3)
        terminal.types(" ")
    terminal.sees(IDLE)
    time.sleep(0.2)
    terminal.types("q")
    report = terminal.report()

    assert (report["error"], report["sent"]) == ("", TURN * 2)
    assert report["heard_s"] == pytest.approx(0.6, abs=0.3)
    assert report["interrupted"] >= 2


def test_a_turn_that_is_too_short_is_thrown_away(terminal: Terminal) -> None:
    """A key pressed twice by mistake asks nothing; other keys do nothing; Ctrl-D leaves."""
    terminal.sees(IDLE)
    terminal.types("xyz  ")
    terminal.sees("nothing is below 100 ms")
    terminal.types(CTRL_D)
    report = terminal.report()

    assert (report["error"], report["sent"]) == ("", ["input_audio_buffer.clear"] * 2)


def test_the_next_turn_may_begin_at_once(terminal: Terminal) -> None:
    """What was said before it is committed first, and nothing of it is lost."""
    terminal.sees(IDLE)
    terminal.types(" ")
    terminal.sees(TALKING)
    time.sleep(0.4)
    terminal.types("  ")
    time.sleep(0.3)
    terminal.types("q")
    report = terminal.report()

    assert (report["error"], report["sent"][:3]) == ("", [TURN[0], TURN[1], TURN[0]])


def test_the_terminal_is_given_back_where_the_session_is_cancelled(terminal: Terminal) -> None:
    """Ctrl-C stays a signal, and whatever it does, the next program finds the terminal as it was."""
    terminal.sees(IDLE)
    assert termios.tcgetattr(terminal.descriptor) != terminal.before
    terminal.process.send_signal(signal.SIGINT)
    terminal.process.communicate(timeout=15)

    assert termios.tcgetattr(terminal.descriptor) == terminal.before


def test_without_a_terminal_it_is_refused() -> None:
    """Nobody could press a key."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.push_to_talk_program"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout)["error"] == "push-to-talk needs a terminal, and standard input is none"
