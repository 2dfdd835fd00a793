"""A program for a machine with audio devices: plays into the microphone, records from it, and reports in JSON.

Run as `python -m tests.helpers.microphone_program SECONDS LOST ON_LOST [DEVICE]`, where LOST says when the device is to
disappear, in seconds, 0 for never.
"""

import json
import subprocess
import sys
from typing import Any

import anyio
import anyio.to_thread
import numpy as np

from runner.audio.format import PCM
from runner.errors import RunnerError
from runner.inputs.spoken_input import SpokenInput
from runner.session.opening import open_session
from runner.settings.input import MicrophoneInput
from tests.helpers.hearing_peers import all_ears, at_once, heard
from tests.helpers.log_capture import captured_log
from tests.helpers.peer import profile_for, serving

PLAY = ("pacat", "-p", "-d", "mouth", "--rate=24000", "--channels=1", "--format=s16le", "--raw", "--latency-msec=50")


async def listen(seconds: float, lost_s: float, settings: MicrophoneInput) -> dict[str, Any]:
    """Record for so many seconds, and report how much of what was played was heard."""
    noise = np.random.default_rng(1).integers(-8000, 8000, int(PCM.rate * seconds), dtype="<i2")
    report: dict[str, Any] = {"error": "", "started_late": True}
    microphone = SpokenInput(settings)
    with captured_log() as lines:
        async with serving(all_ears) as (port, peers):
            await microphone.open({})
            async with open_session(profile_for(port)) as session:
                report["started_late"] = not heard(peers[0])
                try:
                    with anyio.move_on_after(seconds + 1):
                        async with anyio.create_task_group() as tasks:
                            tasks.start_soon(_play, noise.tobytes())
                            if lost_s:
                                tasks.start_soon(_lose, lost_s)
                            await microphone.feed(session, at_once, None)
                except* RunnerError as errors:
                    report["error"] = str(errors.exceptions[0])
        report["log"] = [each["event"] for each in lines if each["log_level"] != "debug"]
    pcm: Any = np.frombuffer(heard(peers[0]), dtype="<i2")
    return {**report, "heard_s": len(pcm) / PCM.rate, **_offsets(noise, pcm)}


def _offsets(played: Any, recorded: Any) -> dict[str, float]:
    """Where the first and the last second of what was played are heard, and how alike they are."""
    found: dict[str, float] = {}
    for name, at in (("first", 0), ("last", len(played) - PCM.rate)):
        part = played[at : at + PCM.rate].astype("float64")
        if len(recorded) < len(part):
            continue
        size = 1 << (len(recorded) + len(part)).bit_length()
        alike = np.fft.irfft(np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(part, size)), size)[: len(recorded)]
        place = int(alike.argmax())
        found[f"{name}_s"] = (place - at) / PCM.rate
        there = recorded[place : place + PCM.rate].astype("float64")
        found[f"{name}_likeness"] = float(np.corrcoef(there, part[: len(there)])[0, 1]) if len(there) > 1 else 0.0
    return found


async def _play(pcm: bytes) -> None:
    await anyio.sleep(0.3)
    await anyio.run_process([*PLAY], input=pcm)


async def _lose(after_s: float) -> None:
    """End the stream at the server, as it does when a device is gone and none is to take its place."""
    await anyio.sleep(after_s)
    await anyio.to_thread.run_sync(lose)


def lose() -> None:
    """Destroy the node from which we record."""
    nodes = json.loads(subprocess.run(["pw-dump"], capture_output=True, check=True, text=True).stdout)
    for node in nodes:
        properties = node.get("info", {}).get("props", {}) if node["type"].endswith("Node") else {}
        if properties.get("media.class") == "Stream/Input/Audio" and "ALSA" in properties.get("application.name", ""):
            subprocess.run(["pw-cli", "destroy", str(node["id"])], check=True, capture_output=True)


def main() -> None:
    """Do what the command line says."""
    seconds, lost_s, on_lost, *device = sys.argv[1:]
    settings = MicrophoneInput.model_validate(
        {"kind": "microphone", "on_device_lost": on_lost, **({"device": device[0]} if device else {})}
    )
    print(json.dumps(anyio.run(listen, float(seconds), float(lost_s), settings)))  # noqa: T201  # it is the report


if __name__ == "__main__":
    main()
