"""A program for a machine with a loudspeaker: plays, interrupts or loses it, and prints what it knows as JSON.

It runs where PipeWire serves a sink named `speaker`, whose monitor hears what is really played.
"""

import json
import subprocess
import sys
import time
from array import array
from itertools import pairwise
from typing import Any

import anyio

from runner.errors import RunnerError
from runner.outputs.session_output import Piece
from runner.outputs.speaker import Speaker
from runner.settings.output import SpeakerOutput

RATE = 24_000
FLOOR = 300
"""What a converter leaves before and after a sound is quieter."""


def listening() -> "subprocess.Popen[bytes]":
    """Record what the sink plays, from now on."""
    form = [f"--rate={RATE}", "--channels=1", "--format=s16le", "--raw", "--latency-msec=10"]
    process = subprocess.Popen(["parec", "-d", "speaker.monitor", *form], stdout=subprocess.PIPE)
    time.sleep(0.5)
    return process


def heard(process: "subprocess.Popen[bytes]") -> dict[str, float]:
    """How long the sound was from its first sample to its last, and the longest silence in it."""
    process.terminate()
    samples = array("h", process.communicate()[0][: 1 << 26])
    loud = [index for index, sample in enumerate(samples) if abs(sample) > FLOOR]
    if not loud:
        return {"sound_ms": 0.0, "gap_ms": 0.0}
    gaps = max(after - before for before, after in pairwise(loud)) if len(loud) > 1 else 0
    return {"sound_ms": (loud[-1] - loud[0] + 1) * 1000 / RATE, "gap_ms": gaps * 1000 / RATE}


def noise(ms: int, rate: int = RATE) -> bytes:
    """Samples of which none is silent."""
    return array("h", [5000, 3000, -3000, -5000] * (ms * rate // 4000)).tobytes()


async def feed(speaker: Speaker, seconds: float, *, rate: int = RATE) -> None:
    """Say so much in real time, 100 ms at a time."""
    began_s = time.monotonic()
    for number in range(round(seconds * 10)):
        speaker.play(Piece("item", noise(100, rate), rate, 0.0))
        await anyio.sleep(max(0.0, began_s + (number + 1) / 10 - time.monotonic()))


async def play(speaker: Speaker, seconds: float, rate: int) -> dict[str, Any]:
    """Play it all."""
    recorder = listening()
    began_s = time.monotonic()
    await feed(speaker, seconds, rate=rate)
    fed_s = time.monotonic()
    while speaker.remaining_s:  # noqa: ASYNC110  # time alone changes it
        await anyio.sleep(0.01)
    done_s = time.monotonic()
    await anyio.sleep(0.5)
    sound = speaker._buffer
    assert sound is not None
    counts = {"underruns": sound.underruns, "xruns": speaker._underflows, "late_ms": (done_s - fed_s) * 1000}
    return {**heard(recorder), "heard_ms": speaker.heard_ms("item"), **counts, "took_ms": (done_s - began_s) * 1000}


async def interrupt(speaker: Speaker, seconds: float, rate: int) -> dict[str, Any]:
    """Hand over ten seconds, and stop after some of them."""
    recorder = listening()
    speaker.play(Piece("item", noise(10_000, rate), rate, 0.0))
    await anyio.sleep(seconds)
    heard_before_ms = speaker.heard_ms("item")
    speaker.stop()
    result = {"heard_ms": speaker.heard_ms("item"), "before_ms": heard_before_ms}
    await anyio.sleep(0.7)
    return {**heard(recorder), **result}


async def lose(speaker: Speaker, seconds: float, rate: int) -> dict[str, Any]:
    """Take the sinks away while it plays."""
    speaker.play(Piece("item", noise(10_000, rate), rate, 0.0))
    await anyio.sleep(seconds)
    for module in ("module-always-sink", "module-null-sink"):
        # PipeWire would put a sink of its own into the place of the last one.
        await anyio.run_process(["pactl", "unload-module", module])
    began_s = time.monotonic()
    with anyio.move_on_after(5):
        await speaker.finished()
    return {"took_s": time.monotonic() - began_s, "name": speaker.name, "heard_ms": speaker.heard_ms("item")}


async def replug(speaker: Speaker, seconds: float, rate: int) -> dict[str, Any]:
    """Take the sinks away while it plays, and bring another one."""
    with anyio.move_on_after(seconds + 1.3):
        await lose(speaker, seconds, rate)
    await anyio.run_process(["pactl", "load-module", "module-null-sink", "sink_name=speaker"])
    await anyio.sleep(1.5)
    first_ms = speaker.heard_ms("item")
    await anyio.sleep(1)
    return {"name": speaker.name, "first_ms": first_ms, "heard_ms": speaker.heard_ms("item")}


async def main(what: str, seconds: float, rate: int, **settings: Any) -> None:
    """Do this with a speaker."""
    failures: list[RunnerError] = []
    speaker = Speaker(SpeakerOutput(kind="speaker", **settings), rate, failures.append)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(speaker.run)
        result = await {"play": play, "interrupt": interrupt, "lose": lose, "replug": replug}[what](
            speaker, seconds, rate
        )
        speaker.close()
        with anyio.fail_after(5):
            await speaker.finished()
    sys.stdout.write(json.dumps({**result, "failures": [f"{each} ({each.hint})" for each in failures]}) + "\n")


if __name__ == "__main__":
    backend, task, duration_s, samples_a_second, chosen = sys.argv[1:]
    anyio.run(
        lambda: main(task, float(duration_s), int(samples_a_second), **json.loads(chosen)),
        backend=backend,
    )
