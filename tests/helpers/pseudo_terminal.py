"""Somebody who sits at a terminal with `rt-run` in it, and sees what it shows."""

import fcntl
import os
import pty
import select
import struct
import termios
import time
from contextlib import suppress
from pathlib import Path

import pyte

from tests.helpers.forked_process import ForkedProcess

CTRL_C, CTRL_D, UP = "\x03", "\x04", "\x1b[A"
PASTE = "\x1b[200~{}\x1b[201~"
"""What a terminal sends where text is pasted."""
WITHIN_S = 150.0


class ShownTerminal:
    """A terminal, and the user before it.

    Args:
        columns: Its width.

    Attributes:
        side: The descriptor of the side that programs are given.
    """

    def __init__(self, columns: int = 80) -> None:
        self.descriptor, self.side = pty.openpty()
        self._screen = pyte.HistoryScreen(columns, 24, history=1000)
        self._stream = pyte.ByteStream(self._screen)
        self.columns = columns
        self.resizes(columns)

    @property
    def shown(self) -> str:
        """All that was shown and not removed again, with its rows as lines."""
        above = ["".join(row[at].data for at in range(self._screen.columns)) for row in self._screen.history.top]
        return "\n".join(each.rstrip() for each in (*above, *self._screen.display)).rstrip()

    def types(self, keys: str) -> None:
        """Type."""
        os.write(self.descriptor, keys.encode())

    def sees(self, text: str, *, times: int = 1) -> str:
        """Wait until this shows so many times on the screen; returns all that shows."""
        end_s = time.monotonic() + WITHIN_S
        while self.shown.count(text) < times:
            assert time.monotonic() < end_s, f"no {text!r} in\n{self.shown}"
            self._read(0.1)
        return self.shown

    def sees_no_longer(self, text: str) -> str:
        """Wait until this does not show any more; returns all that shows."""
        end_s = time.monotonic() + WITHIN_S
        while text in self.shown:
            assert time.monotonic() < end_s, f"still {text!r} in\n{self.shown}"
            self._read(0.1)
        return self.shown

    def resizes(self, columns: int) -> None:
        """Change the width of the terminal, as its user does by dragging its border."""
        self.columns = columns
        self._screen.resize(columns=columns)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def reads_on(self) -> None:
        """Take what there is without looking at it."""
        if select.select([self.descriptor], [], [], 0.01)[0]:
            os.read(self.descriptor, 65536)

    def hangs_up(self) -> None:
        """Close the terminal, as its user does by closing the window."""
        os.close(self.descriptor)
        self.descriptor = -1

    def close(self) -> None:
        """Leave nothing behind."""
        if self.descriptor >= 0:
            self.hangs_up()

    def _read_rest(self) -> None:
        """Take what a program that has ended has left."""
        with suppress(OSError):
            while select.select([self.descriptor], [], [], 0)[0] and (data := os.read(self.descriptor, 65536)):
                self._stream.feed(data)

    def _read(self, timeout_s: float) -> None:
        if select.select([self.descriptor], [], [], timeout_s)[0]:
            try:
                self._stream.feed(os.read(self.descriptor, 65536))
            except OSError:
                # Linux reports the end of the other side as an error.
                time.sleep(timeout_s)


class Terminal(ShownTerminal):
    """A terminal with `rt-run` in it.

    Args:
        folder: The working directory of the program, and its user's home.
        arguments: Those of `rt-run`.
        columns: The width of the terminal.
        environment: Variables besides the few that a process needs.
    """

    def __init__(
        self, folder: Path, *arguments: str, columns: int = 80, environment: dict[str, str] | None = None
    ) -> None:
        super().__init__(columns)
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
            "XDG_STATE_HOME": str(folder / "state"),
            **(environment or {}),
        }
        self.process = ForkedProcess(arguments, folder=folder, environment=variables, terminal=self.side)
        os.close(self.side)

    def left(self) -> int:
        """The exit code, once the program has ended."""
        end_s = time.monotonic() + WITHIN_S
        while time.monotonic() < end_s:
            self._read(0.05)
            code = self.process.poll()
            if code is not None:
                self._read_rest()
                return code
        msg = f"it did not leave:\n{self.shown}"
        raise AssertionError(msg)

    def close(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        self.process.wait()
        super().close()
