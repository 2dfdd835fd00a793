"""A loudspeaker: what is really heard, measured where PipeWire's null devices play in real time."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.errors import OutputError, ProfileError, RunnerError
from runner.outputs.speaker import Speaker
from runner.settings.output import SpeakerOutput
from tests.conftest import REPOSITORY
from tests.helpers.audio_hardware import need_portaudio

BOX = Path(os.environ.get("TEST_BEDS", REPOSITORY.parent / "shared" / "tools")) / "audio_box.sh"
"""A script that provides a loudspeaker of its own may be here."""
BLOCK_MS = 20


def in_box(folder: Path, backend: str, *arguments: str, **settings: Any) -> dict[str, Any]:
    """What `tests.helpers.speaker_program` has found out."""
    need_portaudio()
    if not BOX.exists():
        pytest.skip(f"there is no {BOX}")
    if missing := [each for each in ("pipewire", "wireplumber", "pactl", "parec") if shutil.which(each) is None]:
        pytest.skip(f"{BOX} needs {', '.join(missing)}")
    program = [sys.executable, "-m", "tests.helpers.speaker_program", backend, *arguments, json.dumps(settings)]
    done = subprocess.run(
        [str(BOX), "run", str(folder), *program],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(("backend", "seconds", "rate"), [("asyncio", 4, 24_000), ("trio", 1, 8_000)])
def test_what_comes_in_real_time_is_heard_without_a_gap(tmp_path: Path, backend: str, seconds: int, rate: int) -> None:
    """No underrun, no drift, and the count of what was heard is right to the sample."""
    found = in_box(tmp_path, backend, "play", str(seconds), str(rate))

    assert (found["underruns"], found["xruns"], found["failures"]) == (0, 0, [])
    assert found["gap_ms"] < 1
    assert found["sound_ms"] == pytest.approx(seconds * 1000, abs=50)
    assert found["heard_ms"] == pytest.approx(seconds * 1000, abs=1)
    assert found["took_ms"] < seconds * 1000 + 600


def test_stop_is_silence_at_the_next_block(tmp_path: Path) -> None:
    """What the speaker says was heard is what was heard, to the block."""
    found = in_box(tmp_path, "asyncio", "interrupt", "1.2", "24000")

    assert found["sound_ms"] == pytest.approx(found["heard_ms"], abs=BLOCK_MS)
    assert found["before_ms"] <= found["heard_ms"] <= found["before_ms"] + 200
    assert 1000 <= found["heard_ms"] <= 1500


def test_a_speaker_that_disappears_is_reported_clearly(tmp_path: Path) -> None:
    """Nothing takes what waits for a second: the session ends with a hint."""
    found = in_box(tmp_path, "asyncio", "lose", "0.5", "24000")

    hint = '(plug it in again, or use `on_device_lost = "default"`)'
    assert found["failures"] == [f"the speaker 'default' disappeared {hint}"]
    assert found["took_s"] < 2


def test_another_default_device_may_take_its_place(tmp_path: Path) -> None:
    """Where the profile says so, what waits is played by the device that comes."""
    found = in_box(tmp_path, "trio", "replug", "0.5", "24000", on_device_lost="default")

    assert (found["name"], found["failures"]) == ("the default speaker", [])
    assert found["heard_ms"] > found["first_ms"] + 500


def test_a_device_that_is_not_there_is_found_out_before_anything_connects(tmp_path: Path) -> None:
    """By its name, with a hint; and where there is no library, how to get it."""
    failures: list[RunnerError] = []
    with pytest.raises((OutputError, ProfileError)) as raised:
        Speaker(SpeakerOutput(kind="speaker", device="no such thing"), 24_000, failures.append)

    assert raised.value.hint
    assert "speaker" in raised.value.message
