"""`python -m benchmarks.crowds.voices PEER BASE_URL COUNT SECONDS [uvloop]`: talks in so many sessions, in real time.

Each session sends 100 ms of audio every 100 ms and decodes the server's as it comes; the sessions' phases are spread
evenly. What is late is sent at once, and what is not sent before the end counts as not sent. Prints, in JSON, what it
took while all of them talked, how often others took the core away, and for how much of that time it had to wait for
them: where that is much, lateness says nothing of the library.
"""

import asyncio
import json
import math
import resource
import statistics
import sys
import time
from pathlib import Path

from benchmarks.answers import AUDIO_BYTES
from benchmarks.crowds.crowd import crowd
from benchmarks.crowds.live_peers import LIVE_HOUSES
from benchmarks.crowds.peers import HOUSES, House, Peer

INTERVAL_S = 0.1
_PCM = bytes(range(240)) * (AUDIO_BYTES // 240)
_LEAD_S = 0.2
"""From the last opening to the first frame: nothing of the opening shall be in the figures."""
_GRACE_S = 0.5
"""How long after the last frame was due the server's may still come: it says three things before its first sound."""


class _Talk:
    """What all sessions of a process have said and heard."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.start_s = self.end_s = math.inf
        self.late_s: list[float] = []
        self.heard = 0

    def hear(self, pcm: bytes) -> None:
        """Count a piece of the server's audio that comes in time."""
        self.heard += len(pcm) == AUDIO_BYTES and self.start_s < time.monotonic() < self.end_s + _GRACE_S

    async def measured(self) -> dict[str, float]:
        """What it takes, a frame and in all, from the first frame of the last session to the last one of the first."""
        await asyncio.sleep(self.start_s + INTERVAL_S - time.monotonic())
        before = _taken(len(self.late_s))
        await asyncio.sleep(self.end_s - INTERVAL_S - time.monotonic())
        frames, wall_s, cpu_s, waited_s, interruptions = (
            after - each for after, each in zip(_taken(len(self.late_s)), before, strict=True)
        )
        return {
            "cpu_percent": cpu_s / wall_s * 100,
            "frame_cpu_us": cpu_s / max(frames, 1) * 1e6,
            "waited_percent": waited_s / wall_s * 100,
            "interruptions": interruptions / wall_s,
        }

    async def speak(self, peer: Peer, first_s: float) -> None:
        """Send each frame when it is due."""
        for number in range(self.frames):
            due_s = first_s + number * INTERVAL_S
            if (wait_s := due_s - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            if not number:
                await peer.ask(kind="audio", events=str(self.frames), interval_ms=str(round(INTERVAL_S * 1000)))
            await peer.append(_PCM)
            if (sent_s := time.monotonic()) > self.end_s:
                return
            self.late_s.append(sent_s - due_s)


async def _talked(house: House, base_url: str, count: int, seconds: float) -> dict[str, float]:
    talk = _Talk(round(seconds / INTERVAL_S))
    scheduled = talk.frames * count
    async with house(base_url) as opening, crowd(lambda: opening(talk.hear), count) as peers:
        listening = [asyncio.create_task(peer.listen()) for peer in peers]
        await asyncio.sleep(_LEAD_S)
        start_s = talk.start_s = time.monotonic() + INTERVAL_S
        talk.end_s = start_s + seconds + INTERVAL_S
        async with asyncio.TaskGroup() as speaking:
            measuring = speaking.create_task(talk.measured())
            for number, peer in enumerate(peers):
                speaking.create_task(talk.speak(peer, start_s + INTERVAL_S * number / count))
        await asyncio.sleep(_GRACE_S)
        for each in listening:
            each.cancel()
    percentiles = statistics.quantiles([each * 1000 for each in talk.late_s], n=100)
    return {
        **measuring.result(),
        "p50_late_ms": percentiles[49],
        "p99_late_ms": percentiles[98],
        "sent_percent": len(talk.late_s) / scheduled * 100,
        "received_percent": talk.heard / scheduled * 100,
    }


def _taken(frames: int) -> tuple[float, ...]:
    """By now: the frames; in seconds the time, CPU time and the wait for the core; how often it was taken away."""
    waited_ns = int(Path("/proc/self/schedstat").read_text().split()[1])
    interruptions = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    return frames, time.monotonic(), time.process_time(), waited_ns / 1e9, interruptions


def main() -> None:
    """Do what the command line says."""
    peer, base_url, count, seconds, *loop = sys.argv[1:]
    talk = _talked({**HOUSES, **LIVE_HOUSES}[peer], base_url, int(count), float(seconds))
    if loop:
        import uvloop

        figures = uvloop.run(talk)
    else:
        figures = asyncio.run(talk)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
