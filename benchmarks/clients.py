"""The clients of a comparison: each run is a fresh process, on the core of this one."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.certificate import write_certificate
from benchmarks.measure import Contender
from benchmarks.processes import environment
from benchmarks.server import serving

OPENAI, AGENTS = "openai-python", "openai-agents"
HTTPX_WS, WEBSOCKETS, PICOWS = "bare httpx-ws", "bare websockets", "picows, same decoders"
RT_RUN, RT_RUN_EVENTS, RT_RUN_UVLOOP = "rt-run", "rt-run, async for", "rt-run, uvloop"
_MODULES = {
    OPENAI: ("openai_python", "openai"),
    AGENTS: ("openai_agents", "agents"),
    HTTPX_WS: ("httpx_ws_bare", "httpx_ws"),
    WEBSOCKETS: ("websockets_bare", "websockets"),
    PICOWS: ("picows_bare", "picows"),
    RT_RUN: ("rt_run", "runner"),
    RT_RUN_EVENTS: ("rt_run_events", "runner"),
    RT_RUN_UVLOOP: ("rt_run", "uvloop"),
}
"""Who does it, and what must be installed for that."""
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Served:
    """A running server and how to trust it."""

    plain: str
    tls: str
    ca_file: str

    def contenders(self, measured: str, *, tls: bool = False, without: Sequence[str] = ()) -> list[Contender]:
        """All clients whose libraries are installed, or all but some.

        Args:
            measured: What they do, as the worker's task calls it.
            tls: Whether they connect over TLS.
            without: Names of those to be left out.
        """
        trust = {"SSL_CERT_FILE": self.ca_file} if tls else {}
        found: list[Contender] = []
        for name, (module, needed) in _MODULES.items():
            if name in without or importlib.util.find_spec(needed) is None:
                continue
            task = {
                "client": module,
                "uvloop": name == RT_RUN_UVLOOP,
                "address": self.tls if tls else self.plain,
                "ca_file": self.ca_file if tls else None,
                "measured": measured,
            }
            found.append(Contender(name, _run(json.dumps(task), trust)))
        return found


@contextmanager
def served(core: int | None) -> Iterator[Served]:
    """One server for all clients, with and without TLS."""
    with TemporaryDirectory() as folder:
        certificate = Path(folder, "localhost.pem")
        write_certificate(certificate)
        with serving(core, certificate) as (plain, tls):
            yield Served(plain, tls, str(certificate))


def _run(task: str, trust: Mapping[str, str]) -> Callable[[], Mapping[str, float]]:
    command = [sys.executable, "-m", "benchmarks.worker", task]

    def measure() -> Mapping[str, float]:
        done = subprocess.run(command, env=environment(trust), stdout=subprocess.PIPE, timeout=_TIMEOUT_S, check=True)
        figures: Mapping[str, float] = json.loads(done.stdout)
        return figures

    return measure
