"""Inputs that are heard, through the real command."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command_process import LOCAL, Command, Ended, local, profile
from tests.helpers.hearing_peers import RATE, recording, tone
from tests.helpers.pseudo_terminal import ShownTerminal

BY_HAND = '[session.audio.input]\nturn_detection = "none"\n'
EVENTS = '[[outputs]]\nkind = "events"\npath = "events.jsonl"\n'


def journal(folder: Path) -> str:
    """A table that has all events written down."""
    return f'[journal]\npath = "{folder}/journal.jsonl"\n'


def heard_samples(folder: Path) -> int:
    """How many samples went out, by the journal."""
    events = [json.loads(line)["event"] for line in (folder / "journal.jsonl").read_text().splitlines()]
    return sum(int(each["audio"]["bytes"]) for each in events if each["type"] == "input_audio_buffer.append") // 2


def file_input(path: Path | str, *, pace: str = "fast") -> str:
    """The profile's table for a recording."""
    return f'[input]\nkind = "file"\npath = "{path}"\npace = "{pace}"\n'


def run(folder: Path, *arguments: str, **how: Any) -> Ended:
    """Run the command to its end."""
    return Command("--profile", "test", *arguments, folder=folder, **how).end()


def test_a_recording_is_answered(tmp_path: Path) -> None:
    """The local endpoint says how much it heard."""
    path = recording(tmp_path / "a.wav", tone(1.5))
    local(tmp_path, more=BY_HAND + file_input(path))

    ended = run(tmp_path)

    assert (ended.code, ended.stdout) == (0, "I heard 1.5 s of audio.\n")


def test_a_recording_in_which_nobody_is_heard_fails_the_run(tmp_path: Path) -> None:
    """A recording of silence is hardly what was meant."""
    path = recording(tmp_path / "a.wav", bytes(RATE))
    local(tmp_path, more=file_input(path))

    ended = run(tmp_path)

    assert (ended.code, ended.stdout) == (76, "")
    assert ended.logged("nobody_heard")["input"].startswith("the recording")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be opened: No such file or directory"),
        (b"", "is empty"),
        (b"this is no audio, and no header of any", "is no audio that can be read"),
    ],
)
def test_a_recording_that_cannot_be_heard_ends_the_run_before_it_connects(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    """One message, exit code 74, no session, and no file of an output."""
    pytest.importorskip("soundfile")
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    local(tmp_path, more=file_input(path) + EVENTS)

    ended = run(tmp_path)

    assert ended.code == 74
    assert problem in ended.logged("run_failed")["error"]
    assert "session_opened" not in ended.stderr
    assert not (tmp_path / "profiles" / "events.jsonl").exists()
    assert not (tmp_path / "events.jsonl").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_a_recording_in_its_middle(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """At once: nobody waits for the rest of it."""
    path = recording(tmp_path / "a.wav", tone(30))
    local(tmp_path, more=file_input(path, pace="real-time"))
    command = Command("--profile", "test", folder=tmp_path)
    command.wait_for_log("session_opened")
    command.send_signal(number)
    ended = command.end()

    assert ended.code == code
    assert ended.logged("session_closed")["duration_s"] < 30


def piped(folder: Path, program: str, arguments: str, *, rate: int = RATE, samples: int) -> Ended:
    """What a shell's pipe from a program into the command does."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    told = arguments.format(rate=rate, samples=samples).split()
    with subprocess.Popen([program, *told], stdout=subprocess.PIPE) as source:
        ended = Command("--profile", "test", folder=folder, stdin=source.stdout).end()
    assert source.returncode == 0
    return ended


STDIN = '[input]\nkind = "stdin"\nformat = "audio"\nrate = {rate}\n'
SOX = "-r {rate} -n -c 1 -b 16 -e signed -t raw - synth {samples}s sine 440"
FFMPEG = "-v error -f lavfi -i sine=f=440:r={rate}:d=10 -af atrim=end_sample={samples} -f s16le -"


@pytest.mark.parametrize(("program", "arguments"), [("sox", SOX), ("ffmpeg", FFMPEG)])
@pytest.mark.parametrize("samples", [48_001, 100_003])
def test_a_pipe_is_heard_to_the_sample(tmp_path: Path, program: str, arguments: str, samples: int) -> None:
    """What a program writes is what the endpoint hears, not a sample more or less."""
    local(tmp_path, more=BY_HAND + STDIN.format(rate=RATE) + journal(tmp_path))
    ended = piped(tmp_path, program, arguments, samples=samples)

    assert ended.code == 0, ended.stderr
    assert ended.stdout == f"I heard {samples / RATE:.1f} s of audio.\n"
    assert heard_samples(tmp_path) == samples


def test_a_pipe_of_another_rate_keeps_its_length(tmp_path: Path) -> None:
    """Resampled as it streams, without a sample lost at the end."""
    pytest.importorskip("soxr")
    local(tmp_path, more=BY_HAND + STDIN.format(rate=16_000) + journal(tmp_path))
    ended = piped(tmp_path, "sox", SOX, rate=16_000, samples=32_000)

    assert (ended.code, ended.stdout) == (0, "I heard 2.0 s of audio.\n")
    assert abs(heard_samples(tmp_path) - 48_000) <= 1


def test_all_sessions_hear_the_same_pipe(tmp_path: Path) -> None:
    """Each of them to the last sample."""
    more = BY_HAND + STDIN.format(rate=RATE) + "[run]\nsessions = 3\n"
    local(tmp_path, more=more)
    ended = piped(tmp_path, "sox", SOX, samples=60_000)

    assert ended.code == 0
    assert ended.stdout.count("I heard 2.5 s of audio.") == 3


def test_a_pipe_cannot_be_both_audio_and_text(tmp_path: Path) -> None:
    """Two profiles that disagree are told so before anything is read."""
    local(tmp_path, more=BY_HAND + STDIN.format(rate=RATE))
    profile(tmp_path, LOCAL.format(interval_ms=0, more=""), name="chat")
    ended = run(tmp_path, "--profile", "chat")

    assert ended.code == 78
    assert "test takes standard input for audio, and chat for text" in ended.stderr


def test_samples_are_not_asked_for_at_a_terminal(tmp_path: Path) -> None:
    """Nobody can type them."""
    local(tmp_path, more=STDIN.format(rate=RATE))
    ours, theirs = pty.openpty()
    with os.fdopen(ours), os.fdopen(theirs) as terminal:
        ended = run(tmp_path, stdin=terminal)

    assert ended.code == 74
    assert ended.logged("run_failed")["error"].startswith("standard input is a terminal")


def test_standard_error_at_a_terminal_has_a_face_where_standard_output_goes_elsewhere(tmp_path: Path) -> None:
    """It says what is heard and what was used; the words are where they are wanted."""
    path = recording(tmp_path / "a.wav", tone(0.2))
    local(tmp_path, more=BY_HAND + file_input(path))
    terminal = ShownTerminal()
    environment = {**os.environ, "HOME": str(tmp_path), "TERM": "xterm"}
    with os.fdopen(terminal.side, "w") as stderr:
        arguments = [sys.executable, "-m", "runner", "--profile", "test"]
        process = subprocess.run(
            arguments,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            check=True,
        )
        terminal.sees("1 answer · ")
    terminal.close()

    assert process.stdout == b"I heard 0.2 s of audio.\n"
    first, last = terminal.shown.splitlines()
    assert first == "test: local endpoint · Ctrl-C ends it"
    assert last.startswith("1 answer · ")
