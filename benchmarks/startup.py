"""How long a start takes: of the command itself, and until a session is configured."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Claim, Comparison, Contender
from benchmarks.processes import environment

TIMEOUT_S = 30.0
_PARSE = "import argparse; argparse.ArgumentParser().parse_args([])"
_SDK = """
import sys
from openai import OpenAI

client = OpenAI(api_key="none", websocket_base_url=sys.argv[1])
with client.realtime.connect(model="local") as connection:
    connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
    for event in connection:
        if event.type == "session.updated":
            print("ready", flush=True)
            break
"""
_PROFILE = """
version = 1
[endpoint]
kind = "custom"
base_url = "{base_url}"
[model]
name = "local"
[session]
output_modalities = ["text"]
"""
_LOCAL = """
version = 1
[endpoint]
kind = "local"
[session]
output_modalities = ["text"]
"""


@contextmanager
def comparisons(server_core: int | None) -> Iterator[list[Comparison]]:
    """What there is to compare; a local endpoint runs meanwhile, on a core of its own where there is one."""
    with tempfile.TemporaryDirectory() as temporary, _serving(server_core) as base_url:
        folder = Path(temporary)
        (folder / "own.toml").write_text(_LOCAL)
        (folder / "served.toml").write_text(_PROFILE.format(base_url=base_url))
        yield [_process(), _session(folder, base_url)]


def _process() -> Comparison:
    contenders = [
        Contender("python, argparse", _whole(sys.executable, "-c", _PARSE)),
        Contender("python, pass", _whole(sys.executable, "-c", "pass")),
        Contender("rt-run --version", _whole(*rt_run(), "--version")),
    ]
    claims = [Claim("rt-run --version", "python, argparse", at_most=3.0)]
    return Comparison("A process from start to end", "s", contenders, claims)


def _session(folder: Path, base_url: str) -> Comparison:
    url = base_url.replace("http://", "ws://")
    contenders = [
        Contender("openai-python, served", _until_printed(sys.executable, "-c", _SDK, url)),
        Contender("rt-run, served", _until_notified(folder, "served")),
        Contender("rt-run, endpoint of its own", _until_notified(folder, "own")),
    ]
    claims = [Claim(each.name, contenders[0].name, at_most=0.55) for each in contenders[1:]]
    return Comparison("From the start of a process to a configured session", "s", contenders, claims)


def rt_run() -> Sequence[str]:
    """The command of this environment."""
    script = Path(sys.executable).with_name("rt-run")
    return [str(script)] if script.exists() else [sys.executable, "-m", "runner"]


def _whole(*command: str) -> Callable[[], float]:
    def measure() -> float:
        started_s = time.perf_counter()
        subprocess.run(command, env=environment({}), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - started_s

    return measure


def _until_notified(folder: Path, profile: str) -> Callable[[], float]:
    command = [*rt_run(), "--profile", str(folder / f"{profile}.toml"), "-q"]
    address = folder / f"{profile}.notify"

    def measure() -> float:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(address))
            manager.settimeout(TIMEOUT_S)
            started_s = time.perf_counter()
            with _started(command, {"NOTIFY_SOCKET": str(address)}) as process:
                while b"READY=1" not in manager.recv(4096).splitlines():
                    pass
                taken_s = time.perf_counter() - started_s
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=TIMEOUT_S)
        address.unlink()
        return taken_s

    return measure


def _until_printed(*command: str) -> Callable[[], float]:
    def measure() -> float:
        started_s = time.perf_counter()
        with _started(command, {}) as process:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            taken_s = time.perf_counter() - started_s
            process.communicate(timeout=TIMEOUT_S)
        return taken_s

    return measure


@contextmanager
def _started(command: Sequence[str], more: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment(more), stdin=pipe, stdout=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _serving(core: int | None) -> Iterator[str]:
    command = [*rt_run(), "serve-local", "--listen", "127.0.0.1:0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment({}), stdout=pipe, stderr=subprocess.DEVNULL) as server:
        try:
            if core is not None:
                os.sched_setaffinity(server.pid, {core})
            assert server.stdout
            yield server.stdout.readline().decode().strip()
        finally:
            server.terminate()
