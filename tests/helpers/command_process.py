"""The real command as a process, for tests of how it lives and ends."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.helpers.forked_process import ForkedProcess

TIMEOUT_S = 150.0


class Command:
    """A running `rt-run`.

    Args:
        arguments: What stands after the program's name.
        environment: Variables besides the few that a process needs.
        folder: The working directory.
        stdin: `pipe`, or an open file.
        before: Python code that is run in the process before the command is.
        is_forked: Whether its imports are spared; False starts an interpreter of its own.
        timeout_s: When it is killed, in seconds, if it has not ended.
    """

    def __init__(
        self,
        *arguments: str,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        stdin: Any = subprocess.PIPE,
        before: str = "",
        is_forked: bool = True,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **(environment or {})}
        self.process: ForkedProcess | subprocess.Popen[bytes]
        if is_forked:
            self.process = ForkedProcess(arguments, folder=folder, environment=environment, stdin=stdin, before=before)
        else:
            pipe = subprocess.PIPE
            program = [sys.executable, "-m", "runner", *arguments]
            self.process = subprocess.Popen(
                program, cwd=folder, env=environment, bufsize=0, stdin=stdin, stdout=pipe, stderr=pipe
            )
        self._guard = threading.Timer(timeout_s, self.process.kill)
        self._guard.daemon = True
        self._guard.start()
        self._logged = b""

    def write(self, text: str) -> None:
        """Write to its standard input."""
        assert self.process.stdin
        data = memoryview(text.encode())
        while data:
            data = data[self.process.stdin.write(data) :]

    def read(self, size_bytes: int) -> str:
        """Read exactly so much of its standard output."""
        assert self.process.stdout
        data = b""
        while len(data) < size_bytes and (more := self.process.stdout.read(size_bytes - len(data))):
            data += more
        return data.decode(errors="ignore")

    def wait_for_log(self, event: str) -> None:
        """Read its log until a line of this event has come."""
        assert self.process.stderr
        while (line := self.process.stderr.readline()) and f'"event": "{event}"'.encode() not in line:
            self._logged += line
        self._logged += line
        assert line, f"{event} was not logged:\n{self._logged.decode()}"

    @property
    def logged_so_far(self) -> str:
        """What it has logged up to the line that was waited for."""
        return self._logged.decode()

    def release(self) -> None:
        """Close what is left of a process that has ended."""
        self._guard.cancel()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def catches(self, number: signal.Signals) -> bool:
        """Whether it has a handler for this signal; before that, the default action is all there is."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> (number - 1) & 1)

    def end(self, text: str = "") -> "Ended":
        """Write a last text, close its input and wait for its end."""
        out, err = self.process.communicate(text.encode() if self.process.stdin else None)
        self._guard.cancel()
        return Ended(self.process.wait(), out.decode(), (self._logged + err).decode())


class Ended:
    """How a process ended.

    Args:
        code: Its exit code; negative for a signal that it did not handle.
        stdout: What else it wrote there.
        stderr: What it logged.
    """

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, stdout, stderr
        assert "Traceback" not in stderr, stderr

    @property
    def log(self) -> list[dict[str, Any]]:
        """The log's lines."""
        return [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]

    def logged(self, event: str) -> dict[str, Any]:
        """The one log line of this event."""
        (line,) = (each for each in self.log if each["event"] == event)
        return line


def profile(folder: Path, text: str, *, name: str = "test") -> str:
    """Write a profile where the command finds it by name; returns the name."""
    path = folder / "profiles" / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("version = 1\n" + text)
    return name


LOCAL = """
[endpoint]
kind = "local"
delta_interval_ms = {interval_ms}
[session]
output_modalities = ["text"]
{more}
"""


def local(folder: Path, *, interval_ms: int = 0, more: str = "") -> str:
    """Write a profile of the local endpoint; returns its name."""
    return profile(folder, LOCAL.format(interval_ms=interval_ms, more=more))
