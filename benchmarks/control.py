"""What whoever minds a session costs it: `status` by the control socket, a thousand times a second."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Claim, Comparison, Contender
from benchmarks.processes import environment
from benchmarks.startup import TIMEOUT_S, rt_run

RATE = 1000
"""Requests a second, one after the other on one connection."""
_REQUESTS = 1000
_REQUEST = b'{"id":1,"command":"status"}\n'
_PROFILE = """
version = 1
[endpoint]
kind = "local"
[session]
output_modalities = ["text"]
[run]
until = "signal"
[control]
path = "{folder}/control.sock"
"""


@contextmanager
def comparisons(server_core: int | None) -> Iterator[list[Comparison]]:
    """What there is to compare; a session with a control socket runs meanwhile."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "minded.toml").write_text(_PROFILE.format(folder=folder))
        command = [*rt_run(), "--profile", str(folder / "minded.toml"), "-q"]
        notify = folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(notify))
            manager.settimeout(TIMEOUT_S)
            with subprocess.Popen(
                command, env=environment({"NOTIFY_SOCKET": str(notify)}), stdin=subprocess.DEVNULL
            ) as process:
                if server_core is not None:
                    os.sched_setaffinity(process.pid, {server_core})
                while b"READY=1" not in manager.recv(4096).splitlines():
                    pass
                try:
                    yield [_status(process.pid, folder / "control.sock")]
                finally:
                    process.terminate()


def _status(pid: int, path: Path) -> Comparison:
    contenders = [
        Contender("a tenth of a core", lambda: 0.1),
        Contender("rt-run, status", _share(pid, path)),
    ]
    claims = [Claim("rt-run, status", "a tenth of a core", at_most=1.0)]
    return Comparison(f"{RATE} times `status` a second on one open connection", "cores", contenders, claims)


def _share(pid: int, path: Path) -> Callable[[], float]:
    def measure() -> float:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            lines = connection.makefile("rb")
            lines.readline()
            before_s, started_s = _cpu_s(pid), time.perf_counter()
            for number in range(1, _REQUESTS + 1):
                connection.sendall(_REQUEST)
                lines.readline()
                time.sleep(max(0.0, started_s + number / RATE - time.perf_counter()))
            return (_cpu_s(pid) - before_s) / (_REQUESTS / RATE)

    return measure


def _cpu_s(pid: int) -> float:
    """The time that the main thread of a process has had a core for, in seconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
