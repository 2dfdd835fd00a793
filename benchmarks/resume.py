"""What it costs to be written down: a session as it is, and one that another process can go on with.

`python -m benchmarks.resume URL [FOLDER]` is the client that is measured: it opens sessions, written down in the folder
where there is one, and prints its figures.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path

import anyio

from benchmarks.measure import Claim, Comparison, Contender, Part
from benchmarks.processes import environment
from benchmarks.server import serving
from runner.profile import make_profile
from runner.session.opening import open_session
from runner.settings.profile import Profile

_EVENTS = 50_000
_TURNS = 200
_SESSIONS = 100
_TIMEOUT_S = 300.0
_OFF, _ON = "resume off", "resume on"


@contextmanager
def comparisons(server_core: int | None) -> Iterator[list[Comparison]]:
    """What there is to compare, while a server runs on a core of its own where there is one."""
    with serving(server_core) as (address,):
        contenders = [Contender(name, _measured(f"{address}/v1", is_on=name == _ON)) for name in (_OFF, _ON)]
        parts = [
            Part("event_us", "A received text delta", "CPU µs of its thread", [Claim(_ON, _OFF, at_most=1.1)]),
            Part("turn_us", "A turn of three deltas", "CPU µs of its thread"),
            Part("turn_ms", "A turn of three deltas, from question to answer", "ms"),
            Part("memory_kb", f"{_SESSIONS} sessions of one turn", "KB of RSS, each beyond the first"),
        ]
        yield [Comparison("A session that is written down", "", contenders, parts=parts)]


def _measured(base_url: str, *, is_on: bool) -> Callable[[], Mapping[str, float]]:
    def measure() -> Mapping[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.resume", base_url, *([folder] if is_on else [])]
            pipe = subprocess.PIPE
            done = subprocess.run(command, env=environment({}), stdout=pipe, timeout=_TIMEOUT_S, check=True)
        figures: Mapping[str, float] = json.loads(done.stdout)
        return figures

    return measure


async def measured(base_url: str, folder: Path | None, *, events: int, turns: int, sessions: int) -> dict[str, float]:
    """What sessions take that are written down in a folder, or nowhere."""
    profile = partial(_profile, base_url, folder)
    async with open_session(profile("long", events=events)) as session:
        began_s = time.thread_time()
        await session.ask("Hello")
        event_s = (time.thread_time() - began_s) / events
    async with open_session(profile("turns", events=3)) as session:
        began_s, began_wall_s = time.thread_time(), time.perf_counter()
        for _ in range(turns):
            await session.ask("Hello")
        turn_s, turn_wall_s = (time.thread_time() - began_s) / turns, (time.perf_counter() - began_wall_s) / turns
    async with AsyncExitStack() as stack:
        first_kb = 0
        for number in range(sessions):
            session = await stack.enter_async_context(open_session(profile(f"crowd_{number}", events=3)))
            await session.ask("Hello")
            first_kb = first_kb or _memory_kb()
        memory_kb = (_memory_kb() - first_kb) / max(1, sessions - 1)
    return {"event_us": event_s * 1e6, "turn_us": turn_s * 1e6, "turn_ms": turn_wall_s * 1e3, "memory_kb": memory_kb}


def _profile(base_url: str, folder: Path | None, name: str, *, events: int) -> Profile:
    run = {"resume": {"path": str(folder / name)}} if folder else {}
    query = {"kind": "text", "events": str(events)}
    endpoint = {"kind": "custom", "base_url": base_url, "query": query}
    return make_profile(endpoint=endpoint, model={"name": "test"}, run=run)


def _memory_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


async def main() -> None:
    """Measure one client, and print its figures."""
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    figures = await measured(sys.argv[1], folder, events=_EVENTS, turns=_TURNS, sessions=_SESSIONS)
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    anyio.run(main)
