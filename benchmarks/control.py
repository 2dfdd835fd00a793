"""What whoever minds a session costs it: a thousand times `status` by the control socket, in time of its core."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Claim, Comparison, Contender
from benchmarks.processes import environment, thread_s
from benchmarks.startup import TIMEOUT_S, rt_run

REQUESTS = 1000
"""How often it is asked, one time after the other on one connection."""
PACED_S = 1.0
"""The time over which they are spread: who wakes for each of them finds its caches cold."""
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
def comparisons(_server_core: int | None) -> Iterator[list[Comparison]]:
    """What there is to compare; a session with a control socket runs meanwhile.

    It shares a core with whoever asks: waking another core takes longer than the answer.
    """
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
                while b"READY=1" not in manager.recv(4096).splitlines():
                    pass
                try:
                    yield [_status(process.pid, folder / "control.sock")]
                finally:
                    process.terminate()


def _status(pid: int, path: Path) -> Comparison:
    yardstick = Contender("a tenth of a core's second", lambda: 0.1)
    asked = {"rt-run, status without a pause": 0.0, "rt-run, status 1,000 times a second": PACED_S / REQUESTS}
    contenders = [yardstick, *(Contender(name, _taken_s(pid, path, pace_s)) for name, pace_s in asked.items())]
    claims = [Claim(name, yardstick.name, at_most=1.0) for name in asked]
    return Comparison(f"{REQUESTS} times `status` on one open connection, in time of a core", "s", contenders, claims)


def _taken_s(pid: int, path: Path, pace_s: float) -> Callable[[], float]:
    def measure() -> float:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            lines = connection.makefile("rb")
            lines.readline()
            before_s, began_s = thread_s(pid), time.perf_counter()
            for number in range(REQUESTS):
                time.sleep(max(0.0, began_s + number * pace_s - time.perf_counter()))
                connection.sendall(_REQUEST)
                lines.readline()
            return thread_s(pid) - before_s

    return measure
