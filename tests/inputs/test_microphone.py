"""A microphone, on a machine that has one: made of PipeWire's null devices, in real time."""

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner.errors import InputError, ProfileError
from runner.inputs.spoken_input import SpokenInput
from runner.installation import install_command
from runner.settings.input import MicrophoneInput
from tests.helpers.audio_hardware import need_portaudio
from tests.helpers.command_process import profile

REPOSITORY = Path(__file__).resolve().parent.parent.parent
BED = REPOSITORY.parent / "shared" / "tools" / "audio_box.sh"
MICROPHONE = """
[endpoint]
kind = "local"
[session.audio.input]
turn_detection = "none"
[journal]
path = "{folder}/journal.jsonl"
[input]
kind = "microphone"
"""
_NOT_UP = 77


@functools.cache
def _why_not() -> str:
    if not BED.exists():
        return "there is no test bed with audio devices here"
    for program in ("pipewire", "pipewire-pulse", "wireplumber", "pactl", "pw-cli", "dbus-run-session"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return ""


def in_box(folder: Path, *command: str) -> str:
    """Run a command where there is a microphone; returns its output."""
    pytest.importorskip("numpy")
    need_portaudio()
    if reason := _why_not():
        pytest.skip(reason)
    # A server that does not come up has nothing to do with us.
    started = ("sh", "-c", f'pactl info >/dev/null 2>&1 || exit {_NOT_UP}; exec "$@"', "sh")
    for attempt in range(2):
        bed = [str(BED), "run", str(folder / str(attempt)), *started, *command]
        (folder / str(attempt)).mkdir(parents=True)
        done = subprocess.run(bed, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=150)
        if done.returncode != _NOT_UP:
            break
    else:
        pytest.skip("the test bed with audio devices does not come up")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def listened(folder: Path, *arguments: str) -> Any:
    """What `tests.helpers.microphone_program` reports."""
    return json.loads(in_box(folder, sys.executable, "-m", "tests.helpers.microphone_program", *arguments))


def test_what_is_said_arrives_in_time_and_whole(tmp_path: Path) -> None:
    """Nothing is lost, nothing drifts, and nothing is heard before the session is there."""
    report = listened(tmp_path, "2", "0", "fail")

    assert (report["error"], report["log"], report["started_late"]) == ("", [], True)
    assert report["heard_s"] == pytest.approx(3, abs=0.3)
    assert min(report["first_likeness"], report["last_likeness"]) > 0.8
    assert abs(report["first_s"] - report["last_s"]) < 0.05


def test_a_microphone_that_disappears_ends_the_input(tmp_path: Path) -> None:
    """The message names it."""
    report = listened(tmp_path, "4", "0.8", "fail")

    assert report["error"] == "the microphone 'default' disappeared"
    assert report["heard_s"] < 1.5


def test_another_microphone_takes_its_place_where_the_profile_says_so(tmp_path: Path) -> None:
    """What is said after it is heard, and both are logged."""
    report = listened(tmp_path, "3", "0.8", "default")

    assert (report["error"], report["log"]) == ("", ["microphone_lost", "microphone_replaced"])
    assert report["last_likeness"] > 0.8


def test_the_devices_are_listed(tmp_path: Path) -> None:
    """As text and as JSON, with the default marked; a part of a name has to mean one of them."""
    name = profile(tmp_path, MICROPHONE.format(folder=tmp_path) + 'device = "U"\n', name="vague")
    runner = f"{sys.executable} -m runner"
    run = f"--profiles-dir {tmp_path}/profiles --log-format json -p {name}"
    out = in_box(tmp_path, "sh", "-c", f"{runner} devices; {runner} devices --output json; {runner} {run} 2>&1; true")
    text, _, rest = out.partition("[\n")
    listed, _, log = rest.partition("\n]\n")
    found = json.loads(f"[{listed}]")

    (default,) = (each for each in found if each["is_default_input"])
    assert (default["name"], default["rate"], default["is_default_output"]) == ("default", 44100, True)
    assert "default  (32 in: default, 32 out: default, 44100 Hz)\n" in text
    assert "'U' may be any of several devices: 0 'pulse', 1 'default'" in log


def test_a_microphone_is_heard_from_the_configured_session_to_the_signal(tmp_path: Path) -> None:
    """The command starts it late, and ends as a signal says."""
    name = profile(tmp_path, MICROPHONE.format(folder=tmp_path))
    run = f"{sys.executable} -m runner --profiles-dir {tmp_path}/profiles -p {name} -q"
    in_box(tmp_path, "timeout", "--preserve-status", "-s", "TERM", "3", "sh", "-c", f"exec {run}")
    events = [json.loads(line)["event"] for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    kinds = [each["type"] for each in events]

    assert kinds.index("session.updated") < kinds.index("input_audio_buffer.append")
    assert kinds.count("input_audio_buffer.append") > 20
    assert kinds[-1] == "session.ended"


@pytest.mark.parametrize("device", ["no such thing", 4711])
def test_a_microphone_that_is_not_there_is_refused_before_anything_connects(device: str | int) -> None:
    """The hint names the command that lists those that are."""
    need_portaudio()
    settings = MicrophoneInput(kind="microphone", device=device)

    with pytest.raises(InputError, match="there is no microphone") as raised:
        anyio.run(SpokenInput(settings).open, {})
    assert "rt-run devices" in raised.value.hint


def test_without_its_library_a_microphone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint names the extra."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    settings = MicrophoneInput(kind="microphone")

    with pytest.raises(ProfileError, match="need sounddevice") as raised:
        anyio.run(SpokenInput(settings).open, {})
    assert raised.value.hint == install_command("audio")
