"""Many sessions in one process: their memory, their punctuality when all of them talk, and their common end."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

from benchmarks.measure import Claim, Comparison, Contender, Part
from benchmarks.processes import environment
from benchmarks.server import serving

IDLE = 1000
"""Sessions that are open and say nothing."""
DRAINED = 1000
"""Sessions that one signal ends."""
VOICES = (1, 100, 200, 500, 1000)
PUNCTUAL = 200
"""Voice sessions that one core shall bear without any of them being late."""
TALKED_S = 5.0
_MOST_ROUNDS = 5
_TIMEOUT_S = 120.0
_RT_RUN = "rt-run"
_IDLE_PEERS = (_RT_RUN, "websockets", "httpx-ws", "picows", "openai-python")
_DRAIN_PEERS = (_RT_RUN, "websockets", "openai-python")
_VOICE_PEERS = {"websockets": (100, PUNCTUAL), "openai-python": (100, PUNCTUAL)}

_Figures = Mapping[str, float]


@contextmanager
def comparisons(server_core: int | None) -> Iterator[list[Comparison]]:
    """What there is to compare; a neutral server runs meanwhile, on a core of its own where there is one."""
    with serving(server_core) as (address,):
        base_url = f"{address}/v1"
        yield [_idle(base_url), _voices(base_url), _drain(base_url)]


def _idle(base_url: str) -> Comparison:
    bound = bounded("bound: 60 KB, 2 ms", memory_kb=60.0, opening_ms=2.0)
    contenders = [Contender(peer, printed("idle", peer, base_url, str(IDLE))) for peer in _IDLE_PEERS]
    memory, opening = f"Memory of {IDLE:,} idle sessions", f"Opening {IDLE:,} sessions"
    parts = [
        Part("memory_kb", memory, "KB of RSS, each beyond the first", [Claim(_RT_RUN, bound.name, at_most=1.0)]),
        Part("opening_ms", opening, "client CPU ms each"),
    ]
    return Comparison(memory, "", [bound, *contenders], parts=parts, most_rounds=_MOST_ROUNDS)


def _voices(base_url: str) -> Comparison:
    bound = bounded(
        "bound: 20 ms, all frames",
        p99_late_ms=20.0,
        p50_late_ms=20.0,
        cpu_percent=100.0,
        sent_percent=100.0,
        received_percent=100.0,
        interruptions=50.0,
        waited_percent=1.0,
    )
    contenders = [
        Contender(f"{peer}{', ' * bool(loop)}{loop}, {count}", printed("voices", peer, base_url, *_talk(count, loop)))
        for peer, loop, counts in _speakers()
        for count in counts
    ]
    title, punctual = "Real-time voice sessions on one core", f"{_RT_RUN}, {PUNCTUAL}"
    in_time = [Claim(punctual, bound.name, at_most=1.0)]
    complete = [Claim(bound.name, punctual, at_most=1.01)]
    parts = [
        Part("p99_late_ms", f"{title}: lateness of sent frames, p99", "ms", in_time),
        Part("p50_late_ms", f"{title}: lateness of sent frames, p50", "ms"),
        Part("cpu_percent", f"{title}: client CPU", "% of the core"),
        Part("sent_percent", f"{title}: frames sent", "% of those due", complete),
        Part("received_percent", f"{title}: frames received", "% of those due", complete),
        Part("interruptions", f"{title}: interruptions by other programs", "a second"),
        Part("waited_percent", f"{title}: waiting for a core that another program had", "% of the time"),
    ]
    return Comparison(title, "", [bound, *contenders], parts=parts, most_rounds=_MOST_ROUNDS)


def _drain(base_url: str) -> Comparison:
    bound = bounded("bound: 2 s, all sessions", drained_s=2.0, cpu_ms=2.0, closed_percent=100.0)
    contenders = [Contender(peer, _drained(peer, base_url)) for peer in _DRAIN_PEERS]
    title = f"{DRAINED:,} sessions after SIGTERM"
    parts = [
        Part("drained_s", f"{title}: to the end of the process", "s", [Claim(_RT_RUN, bound.name, at_most=1.0)]),
        Part("cpu_ms", f"{title}: client CPU", "ms each"),
        Part("closed_percent", f"{title}: closed with code 1000", "%", [Claim(bound.name, _RT_RUN, at_most=1.0)]),
    ]
    return Comparison(title, "", [bound, *contenders], parts=parts, most_rounds=_MOST_ROUNDS)


def bounded(name: str, **figures: float) -> Contender:
    """What the others are compared with where a claim is no ratio of two programs."""
    return Contender(name, lambda: figures)


def _speakers() -> Iterator[tuple[str, str, tuple[int, ...]]]:
    yield _RT_RUN, "", VOICES
    if find_spec("uvloop"):
        yield _RT_RUN, "uvloop", VOICES
    for peer, counts in _VOICE_PEERS.items():
        yield peer, "", counts


def _talk(count: int, loop: str) -> list[str]:
    return [str(count), str(TALKED_S), *([loop] if loop else [])]


def _command(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.crowds.{program}", *arguments]


def printed(program: str, *arguments: str) -> Callable[[], _Figures]:
    """Runs a program with many sessions on the benchmarks' core, and reads the figures that it prints."""

    def measure() -> _Figures:
        done = subprocess.run(
            _command(program, *arguments),
            env=environment({}),
            stdout=subprocess.PIPE,
            timeout=_TIMEOUT_S,
            check=True,
        )
        figures: _Figures = json.loads(done.stdout)
        return figures

    return measure


def _drained(peer: str, base_url: str) -> Callable[[], _Figures]:
    command = _command("drain", peer, base_url, str(DRAINED))

    def measure() -> _Figures:
        with subprocess.Popen(command, env=environment({}), stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout
                assert process.stdout.readline() == b"ready\n"
                started_s = time.perf_counter()
                process.send_signal(signal.SIGTERM)
                printed, _ = process.communicate(timeout=_TIMEOUT_S)
                taken_s = time.perf_counter() - started_s
                return {"drained_s": taken_s, **json.loads(printed)}
            finally:
                process.kill()

    return measure
