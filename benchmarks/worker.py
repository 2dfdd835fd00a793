"""`python -m benchmarks.worker TASK`: what one client does in a process of its own; prints its figures as JSON."""

import asyncio
import importlib
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TypedDict

from benchmarks.answers import AUDIO_BYTES, TEXT
from benchmarks.contenders import Client

WARM_UP = 300
"""Events before the measured ones, in the same connection."""
BURST = {"audio": 5000, "text": 20000}
"""Deltas of an answer that comes as fast as it can be taken."""
PACED = 500
"""Deltas of an answer that comes one delta a wake-up."""
INTERVAL_MS = 0.5
"""Time between two deltas of a paced answer: every client is asleep again, and no core has gone cold."""
SENT = 1000
ROUND_TRIPS = 1000
_SIZE_BYTES = {"audio": AUDIO_BYTES, "text": len(TEXT)}


class Task(TypedDict):
    """What to measure of whom."""

    client: str
    """A module of `benchmarks.contenders`."""
    uvloop: bool
    address: str
    ca_file: str | None
    measured: str
    """`received`, `sent` or `round_trip`."""


async def _received(client: Client) -> dict[str, float]:
    figures = {}
    for kind, events in BURST.items():
        await _answer_us(client, kind, WARM_UP, 0)
        started_s = time.perf_counter()
        figures[f"{kind}, burst"] = await _answer_us(client, kind, events, 0)
        figures[f"{kind}, rate"] = events / (time.perf_counter() - started_s)
        figures[f"{kind}, paced"] = await _answer_us(client, kind, PACED, INTERVAL_MS)
    return figures


async def _answer_us(client: Client, kind: str, events: int, interval_ms: float) -> float:
    """CPU microseconds a delta of a whole answer, from the request to its end."""
    started_s = time.process_time()
    received = await client.answer({"kind": kind, "events": str(events), "interval_ms": str(interval_ms)})
    taken_s = time.process_time() - started_s
    assert (received.events, received.size_bytes) == (events, events * _SIZE_BYTES[kind])
    return taken_s / events * 1e6


async def _sent(client: Client) -> dict[str, float]:
    pcm = bytes(range(96)) * (AUDIO_BYTES // 96)
    assert await client.send_audio(pcm, WARM_UP) == WARM_UP
    started_s, cpu_started_s = time.perf_counter(), time.process_time()
    counted = await client.send_audio(pcm, SENT)
    cpu_s, taken_s = time.process_time() - cpu_started_s, time.perf_counter() - started_s
    assert counted == SENT
    return {"cpu": cpu_s / SENT * 1e6, "rate": SENT / taken_s}


async def _round_trips(client: Client) -> dict[str, float]:
    taken_us = []
    for _ in range(WARM_UP + ROUND_TRIPS):
        started_s = time.perf_counter()
        await client.round_trip()
        taken_us.append((time.perf_counter() - started_s) * 1e6)
    percentiles = statistics.quantiles(taken_us[WARM_UP:], n=100)
    return {"p50": percentiles[49], "p99": percentiles[98]}


_MEASURES: dict[str, Callable[[Client], Awaitable[dict[str, float]]]] = {
    "received": _received,
    "sent": _sent,
    "round_trip": _round_trips,
}


async def _run(task: Task) -> dict[str, float]:
    library = importlib.import_module(f"benchmarks.contenders.{task['client']}")
    async with library.connected(f"{task['address']}/v1", task["ca_file"]) as client:
        return await _MEASURES[task["measured"]](client)


def main() -> None:
    """Do what the command line says."""
    task: Task = json.loads(sys.argv[1])
    if task["uvloop"]:
        import uvloop

        figures = uvloop.run(_run(task))
    else:
        figures = asyncio.run(_run(task))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
