"""`python -m benchmarks.crowds.idle PEER BASE_URL COUNT`: what each of so many more idle sessions takes, in JSON."""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from benchmarks.contenders import SESSION
from benchmarks.crowds.crowd import crowd
from benchmarks.crowds.peers import HOUSES, Hear, ignore, websocket_url

_Opening = Callable[[Hear], AbstractAsyncContextManager[object]]
_House = Callable[[str], AbstractAsyncContextManager[_Opening]]


@asynccontextmanager
async def _httpx_ws(base_url: str) -> AsyncIterator[_Opening]:
    """Sessions of httpx-ws as it comes, over one client whose pool has no limit."""
    from httpx import AsyncClient, Limits
    from httpx_ws import AsyncWebSocketSession, aconnect_ws

    @asynccontextmanager
    async def opening(_hear: Hear) -> AsyncIterator[object]:
        async with aconnect_ws(websocket_url(base_url), client, session_class=AsyncWebSocketSession) as websocket:
            await websocket.receive_text()
            await websocket.send_text(json.dumps({"type": "session.update", "session": SESSION}))
            await websocket.receive_text()
            yield websocket

    async with AsyncClient(limits=Limits(max_connections=None)) as client:
        yield opening


@asynccontextmanager
async def _picows(base_url: str) -> AsyncIterator[_Opening]:
    """Connections of picows, which share nothing."""
    from benchmarks.contenders.picows_bare import connected

    yield lambda _hear: connected(base_url, None)


_HOUSES: dict[str, _House] = {**HOUSES, "httpx-ws": _httpx_ws, "picows": _picows}


def _resident_bytes() -> int:
    """The memory that this process holds, as Linux counts it."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _taken(house: _House, base_url: str, count: int) -> dict[str, float]:
    async with house(base_url) as opening, crowd(lambda: opening(ignore), 1):
        gc.collect()
        before_bytes, started_s = _resident_bytes(), time.process_time()
        async with crowd(lambda: opening(ignore), count):
            opened_s = time.process_time()
            gc.collect()
            taken_bytes = _resident_bytes() - before_bytes
    return {"memory_kb": taken_bytes / count / 1024, "opening_ms": (opened_s - started_s) / count * 1000}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_taken(_HOUSES[sys.argv[1]], sys.argv[2], int(sys.argv[3])))))
