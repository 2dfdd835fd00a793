"""`python -m benchmarks.voice_crowd [SESSIONS] [SECONDS] [uvloop]`: how late recordings are that are said in real time.

Sessions of one process each say a recording to `serve-local`, which is another process, in frames of 20 ms, and hear
its answers. A frame's lateness is the time from when it was due, by the schedule that its session's first frame began,
to when the connection had taken it. Prints, in JSON, how late frames were, and how often others took the core away.
"""

import json
import math
import resource
import statistics
import struct
import sys
import tempfile
import time
import wave
from functools import partial
from pathlib import Path

import anyio

from benchmarks.processes import endpoint
from runner.audio.format import PCM
from runner.inputs.recording import RecordedInput
from runner.session.opening import open_session
from runner.session.session import Session
from runner.session.update import Update
from runner.settings.input import FileInput
from runner.settings.profile import Profile

SESSIONS, SECONDS = 20, 15.0
_TONE_S, _PAUSE_S = 1.5, 1.0
_FRAME_S = 0.02


def _recorded(path: Path, seconds: float) -> None:
    """Write a recording of tones and pauses, so that there are turns in it."""
    tone = b"".join(
        struct.pack("<h", round(9000 * math.sin(at * 300 * math.tau / PCM.rate)))
        for at in range(int(_TONE_S * PCM.rate))
    )
    turn = tone + bytes(PCM.size_bytes(_PAUSE_S * 1000))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, PCM.sample_bytes, PCM.rate, 0, "NONE", ""))
        file.writeframes((turn * math.ceil(seconds))[: PCM.size_bytes(seconds * 1000)])


def watch_frames(session: Session, late_ms: list[float]) -> None:
    """Add how late each frame goes out that is appended from now on, in milliseconds."""
    append, schedule = session.append_audio, [0.0, 0]

    async def timed(audio: bytes | bytearray | memoryview) -> None:
        first_s, number = schedule
        if not number:
            first_s = schedule[0] = time.perf_counter()
        await append(audio)
        late_ms.append((time.perf_counter() - first_s - number * _FRAME_S) * 1000)
        schedule[1] += 1

    session.append_audio = timed  # type: ignore[method-assign]  # there is no other way to see each frame go


class _Crowd:
    """What all sessions have said and heard."""

    def __init__(self, base_url: str, recording: Path) -> None:
        endpoint = {"kind": "custom", "base_url": base_url}
        audio = {"input": {"turn_detection": {"type": "server_vad"}}}
        tables = {"version": 1, "endpoint": endpoint, "model": {"name": "test"}, "session": {"audio": audio}}
        self.late_ms: list[float] = []
        self.heard_bytes = 0
        self._profile = Profile.model_validate(tables)
        self._settings = FileInput(kind="file", path=recording)

    async def run(self, sessions: int) -> None:
        """Have so many sessions say the recording, each from a moment of its own."""
        async with anyio.create_task_group() as tasks:
            for number in range(sessions):
                tasks.start_soon(self._talk, number / sessions)

    async def _talk(self, delay_s: float) -> None:
        await anyio.sleep(delay_s)
        source = RecordedInput(self._settings)
        await source.open({})
        async with open_session(self._profile, readers=[self._hear]) as session:
            watch_frames(session, self.late_ms)
            await source.feed(session, session.wait_answered, None)
        source.close()

    def _hear(self, update: Update) -> None:
        self.heard_bytes += update.size_bytes


def main() -> None:
    """Do what the command line says."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else SESSIONS
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    with tempfile.TemporaryDirectory() as folder, endpoint() as base_url:
        recording = Path(folder) / "recording.wav"
        _recorded(recording, seconds)
        crowd = _Crowd(base_url, recording)
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        anyio.run(partial(crowd.run, sessions), backend_options={"use_uvloop": "uvloop" in sys.argv})
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    percentiles = statistics.quantiles(crowd.late_ms, n=100)
    figures = {
        "sessions": sessions,
        "frames": len(crowd.late_ms),
        "p50_late_ms": round(percentiles[49], 2),
        "p99_late_ms": round(percentiles[98], 2),
        "max_late_ms": round(max(crowd.late_ms), 2),
        "cpu_percent": round(cpu_s / wall_s * 100, 1),
        "heard_mb": round(crowd.heard_bytes / 1e6, 2),
        "interruptions": round(resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw / wall_s, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
