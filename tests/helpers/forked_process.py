"""A process of the command, forked from one that has it imported already."""

import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

from tests.helpers.command_forker import COVERED

_ADDRESS = "TEST_FORKER"
_COVERAGE = "COVERAGE_PROCESS_CONFIG"
"""Where coverage says what is measured in the processes that are started."""
_held: list[object] = []
"""What a process that is forked from this one must not finalize when it forgets our exit handlers."""
_ENDED_BYTES = 8
"""A report's: the process's id, and its status as `waitpid` has it."""


def _is_covered() -> bool:
    return _COVERAGE in os.environ


@cache
def forker() -> socket.socket:
    """A channel to the forker, which is started by whoever asks first, for the processes that it starts too.

    It ends with the last channel.
    """
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if address := os.environ.get(_ADDRESS):
        channel.connect(address)
        return channel
    folder = tempfile.TemporaryDirectory(prefix="forker-")
    address = f"{folder.name}/socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(address)
        listener.listen()
        channel.connect(address)
        program = [sys.executable, "-m", "tests.helpers.command_forker", str(listener.fileno())]
        root = Path(__file__).resolve().parents[2]
        environment = {**os.environ, COVERED: "1" if _is_covered() else ""}
        environment.pop(_COVERAGE, None)  # the forker measures itself, and what it forks
        process = subprocess.Popen(
            program, cwd=root, env=environment, stdin=subprocess.DEVNULL, pass_fds=[listener.fileno()]
        )
    os.environ[_ADDRESS] = address
    _held.extend([process, folder])

    def end() -> None:
        channel.close()
        process.wait()
        folder.cleanup()

    atexit.register(end)
    return channel


class ForkedProcess:
    """A running command, with the attributes and methods of `subprocess.Popen` that tests use.

    Args:
        arguments: What stands after the program's name.
        folder: The working directory.
        environment: All of it.
        stdin: `subprocess.PIPE`, or an open file; a terminal is given by its descriptor, and takes all three streams.
        before: Python code that is run in the process before the command is.
        program: A file of Python that is run instead of the command.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        stdin: Any = subprocess.PIPE,
        before: str = "",
        terminal: int | None = None,
        program: Path | None = None,
    ) -> None:
        self.args = [str(program or "rt-run"), *arguments]
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = None
        self.stdout: IO[bytes] | None = None
        self.stderr: IO[bytes] | None = None
        self._reported = b""
        given = []
        if terminal is None:
            given += [self._input(stdin), self._output("stdout"), self._output("stderr")]
        else:
            given += [os.dup(terminal) for _ in range(3)]
        self._report, told = os.pipe()
        request = {
            "program": program and str(program),
            "arguments": list(arguments),
            "folder": str(folder),
            "environment": dict(environment),
            "before": before,
            "terminal": terminal is not None,
            "is_covered": _is_covered(),
        }
        socket.send_fds(forker(), [json.dumps(request).encode()], [*given, told])
        for file in (*given, told):
            os.close(file)
        self._read_report(4, None)
        self.pid = int.from_bytes(self._reported[:4], "little")

    def _input(self, stdin: Any) -> int:
        if stdin == subprocess.DEVNULL:
            return os.open(os.devnull, os.O_RDONLY)
        if stdin != subprocess.PIPE:
            return os.dup(stdin if isinstance(stdin, int) else stdin.fileno())
        read, write = os.pipe()
        self.stdin = os.fdopen(write, "wb", 0)
        return read

    def _output(self, name: str) -> int:
        read, write = os.pipe()
        setattr(self, name, os.fdopen(read, "rb", 0))
        return write

    def _read_report(self, size_bytes: int, timeout_s: float | None) -> bool:
        """Read the report up to there; returns whether it came in time."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._report, selectors.EVENT_READ)
            while len(self._reported) < size_bytes:
                if not selector.select(timeout_s):
                    return False
                data = os.read(self._report, size_bytes - len(self._reported))
                assert data, "the forker has gone"
                self._reported += data
        return True

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit code.

        Raises:
            subprocess.TimeoutExpired: it did not end within so many seconds.
        """
        code = self._ended(timeout)
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        return code

    def _ended(self, timeout_s: float | None) -> int | None:
        if self.returncode is None and self._read_report(_ENDED_BYTES, timeout_s):
            self.returncode = os.waitstatus_to_exitcode(int.from_bytes(self._reported[4:], "little"))
            os.close(self._report)
        return self.returncode

    def communicate(self, data: bytes | None = None) -> tuple[bytes, bytes]:
        """Write this, close its standard input, and read all until its end; returns standard output and error."""
        got: dict[str, bytes] = {"stdout": b"", "stderr": b""}

        def read(name: str, stream: IO[bytes]) -> None:
            while more := stream.read(1 << 16):
                got[name] += more
            stream.close()

        streams = [(name, getattr(self, name)) for name in got]
        readers = [threading.Thread(target=read, args=each) for each in streams if each[1] and not each[1].closed]
        for reader in readers:
            reader.start()
        if self.stdin and not self.stdin.closed:
            try:
                rest = memoryview(data or b"")
                while rest:
                    rest = rest[self.stdin.write(rest) :]
            except BrokenPipeError:
                pass
            self.stdin.close()
        for reader in readers:
            reader.join()
        self.wait()
        return got["stdout"], got["stderr"]

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)
