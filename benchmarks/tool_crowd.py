"""`python -m benchmarks.tool_crowd [SESSIONS] [TOOL_SECONDS] [SAY_AFTER_MS]`: how long it is silent while tools run.

Sessions of one process each ask a spoken question of `serve-local`, which is another process, and go on sending frames
of 20 ms while a tool takes its time. Prints, in JSON, how long after the calls of a response a word is heard, how long
after the tool's time its answer is, and how late frames were meanwhile.
"""

import json
import statistics
import sys
import tempfile
import time
import wave
from functools import partial
from pathlib import Path

import anyio

from benchmarks.processes import endpoint
from benchmarks.voice_crowd import watch_frames
from runner.audio.format import PCM
from runner.inputs.recording import RecordedInput
from runner.local.speech.tones import SyntheticVoice
from runner.protocol.effects import AudioDelta, FunctionCalled
from runner.session.opening import open_session
from runner.session.update import Update
from runner.settings.input import FileInput
from runner.settings.profile import Profile

SESSIONS, TOOL_S, SAY_AFTER_MS = 20, 3.0, 1500
_QUESTION = "Where is order 17?"
_SILENCE_S = 1.5
"""How much longer than the tool's time frames are sent, in seconds."""
_PROFILE = """
version = 1
[endpoint]
kind = "local"
script = [
  { match = "order", calls = [{ name = "order" }] },
  { instructions = "looking it up", reply = "One moment." },
]
"""


class _Crowd:
    """What all sessions have heard, in milliseconds."""

    def __init__(self, base_url: str, recording: Path, tool_s: float, say_after_ms: int) -> None:
        self.late_ms: list[float] = []
        self.words_ms: list[float] = []
        self.answers_ms: list[float] = []
        self._tool_s = tool_s
        tables = {
            "version": 1,
            "endpoint": {"kind": "custom", "base_url": base_url},
            "model": {"name": "test"},
            "session": {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}},
            "run": {"tools": {"say_after_ms": say_after_ms}},
        }
        self._profile = Profile.model_validate(tables)
        self._settings = FileInput(kind="file", path=recording)

    async def run(self, sessions: int) -> None:
        """Have so many sessions ask, each from a moment of its own."""
        async with anyio.create_task_group() as tasks:
            for number in range(sessions):
                tasks.start_soon(self._talk, number / sessions)

    async def _talk(self, delay_s: float) -> None:
        await anyio.sleep(delay_s)
        source = RecordedInput(self._settings)
        await source.open({})
        called_s, first_s = [0.0], dict[str, float]()

        def hear(update: Update) -> None:
            for effect in update.effects:
                if isinstance(effect, FunctionCalled):
                    called_s[0] = time.perf_counter()
                elif isinstance(effect, AudioDelta):
                    first_s.setdefault(effect.response_id, time.perf_counter())

        async with open_session(self._profile, readers=[hear]) as session:

            @session.tool
            async def order() -> str:
                await anyio.sleep(self._tool_s)
                return "shipped"

            watch_frames(session, self.late_ms)
            await source.feed(session, session.wait_answered, None)
        source.close()
        word_s, answer_s = sorted(first_s.values())
        self.words_ms.append((word_s - called_s[0]) * 1000)
        self.answers_ms.append((answer_s - called_s[0] - self._tool_s) * 1000)


def _record(path: Path, tool_s: float) -> None:
    """Write the question in the synthetic voice, and silence for as long as the tool takes."""
    spoken = b"".join(sound for _, sound in SyntheticVoice().speak(_QUESTION, PCM.rate))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, PCM.sample_bytes, PCM.rate, 0, "NONE", ""))
        file.writeframes(spoken + bytes(PCM.size_bytes((tool_s + _SILENCE_S) * 1000)))


def main() -> None:
    """Do what the command line says."""
    given = sys.argv[1:]
    sessions = int(given[0]) if given else SESSIONS
    tool_s = float(given[1]) if len(given) > 1 else TOOL_S
    say_after_ms = int(given[2]) if len(given) > 2 else SAY_AFTER_MS
    with tempfile.TemporaryDirectory() as folder:
        recording, profile = Path(folder) / "question.wav", Path(folder) / "served.toml"
        _record(recording, tool_s)
        profile.write_text(_PROFILE)
        with endpoint("--profile", str(profile)) as base_url:
            crowd = _Crowd(base_url, recording, tool_s, say_after_ms)
            anyio.run(partial(crowd.run, sessions))
    print(json.dumps(_figures(crowd)))


def _figures(crowd: _Crowd) -> dict[str, float]:
    words, answers, late = (
        statistics.quantiles(each, n=100) for each in (crowd.words_ms, crowd.answers_ms, crowd.late_ms)
    )
    return {
        "sessions": len(crowd.words_ms),
        "p50_word_ms": round(words[49], 1),
        "p95_word_ms": round(words[94], 1),
        "p50_answer_ms": round(answers[49], 1),
        "p95_answer_ms": round(answers[94], 1),
        "frames": len(crowd.late_ms),
        "p99_late_ms": round(late[98], 2),
        "max_late_ms": round(max(crowd.late_ms), 2),
    }


if __name__ == "__main__":
    main()
