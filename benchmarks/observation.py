"""What it costs to be watched: a session as it is, and with control socket, metrics and traces, off and on."""

import importlib.util
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Claim, Comparison, Contender, Part
from benchmarks.processes import environment, thread_s
from benchmarks.server import serving
from benchmarks.startup import TIMEOUT_S, rt_run

_EVENTS = 50_000
_BARE, _OFF, _ALL = "nothing of it", "all switched off", "all of it"
_PROFILE = f"""
version = 1
[endpoint]
kind = "custom"
base_url = "{{address}}/v1"
query = {{{{ kind = "text", events = "{_EVENTS}" }}}}
[model]
name = "test"
[[outputs]]
kind = "stdout"
format = "json"
[run]
until = "signal"
"""
_CONTROL = '[control]\npath = "{folder}/control.sock"\n'
_HTTP = '[http]\nlisten = "127.0.0.1:0"\n'
_TRACES = "[traces]\n"
_TABLES = {
    _BARE: "",
    _OFF: "[control]\nenabled = false\n[traces]\nenabled = false\n",
    "control socket": _CONTROL,
    "HTTP and metrics": _HTTP,
    "traces": _TRACES,
    _ALL: _CONTROL + _HTTP + _TRACES,
}
_NEEDED = {_HTTP: "prometheus_client", _TRACES: "opentelemetry"}


@contextmanager
def comparisons(server_core: int | None) -> Iterator[list[Comparison]]:
    """What there is to compare, while a server runs on a core of its own where there is one."""
    with tempfile.TemporaryDirectory() as temporary, serving(server_core) as (address,):
        folder = Path(temporary)
        contenders = []
        for number, (name, tables) in enumerate(_TABLES.items()):
            if all(importlib.util.find_spec(module) for table, module in _NEEDED.items() if table in tables):
                profile = folder / f"watched_{number}.toml"
                profile.write_text((_PROFILE + tables).format(address=address, folder=folder))
                contenders.append(Contender(name, _session(profile, folder / "notify")))
        claim = [Claim(_OFF, _BARE, at_most=1.1)]
        parts = [
            Part("event", "A received text delta, watched", "CPU µs of its thread", claim),
            Part("start", "A start, up to a configured session that is watched", "CPU ms of its thread", claim),
        ]
        yield [Comparison("A session that is watched", "", contenders, parts=parts)]


def _session(profile: Path, address: Path) -> Callable[[], Mapping[str, float]]:
    command = [*rt_run(), "--profile", str(profile), "-q"]
    variables = {"NOTIFY_SOCKET": str(address), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}

    def measure() -> Mapping[str, float]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(address))
            manager.settimeout(TIMEOUT_S)
            pipe = subprocess.PIPE
            with subprocess.Popen(command, env=environment(variables), stdin=pipe, stdout=pipe) as process:
                try:
                    while b"READY=1" not in manager.recv(4096).splitlines():
                        pass
                    return {"start": thread_s(process.pid) * 1e3, "event": _answered_s(process) / _EVENTS * 1e6}
                finally:
                    process.kill()
                    address.unlink()

    return measure


def _answered_s(process: "subprocess.Popen[bytes]") -> float:
    """What the answer to a question takes of the thread that reads it, in seconds."""
    assert process.stdin
    assert process.stdout
    before_s = thread_s(process.pid)
    process.stdin.write(b"Hello\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"{")
    return thread_s(process.pid) - before_s
