"""`python -m benchmarks.crowds.drain PEER BASE_URL COUNT`: holds so many sessions until SIGTERM, then closes them all.

Prints `ready` when all are open, and in the end, in JSON, what it took and how many were closed with code 1000.
"""

import asyncio
import json
import signal
import sys
import time

import anyio

from benchmarks.crowds.crowd import crowd
from benchmarks.crowds.peers import HOUSES, House, ignore

_NORMAL_CLOSE = 1000


async def _drained(house: House, base_url: str, count: int) -> dict[str, float]:
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with house(base_url) as opening, crowd(lambda: opening(ignore), count) as peers:
            print("ready", flush=True)
            await anext(signals)
            started_s = time.process_time()
    closed = sum(peer.close_code == _NORMAL_CLOSE for peer in peers)
    return {"cpu_ms": (time.process_time() - started_s) / count * 1000, "closed_percent": closed / count * 100}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_drained(HOUSES[sys.argv[1]], sys.argv[2], int(sys.argv[3])))))
