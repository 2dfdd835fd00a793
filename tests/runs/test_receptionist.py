"""The receptionist that is checked in: whole calls against the local endpoint, by voice and in writing."""

import json
import wave
from array import array
from pathlib import Path
from typing import Any

import pytest

from runner.local.speech.tones import SyntheticVoice
from tests.conftest import REPOSITORY
from tests.helpers.command_process import Command, Ended
from tests.journal.test_session_report import SCHEMA

RATE = 24_000
PROFILES = REPOSITORY / "profiles"
GREETING = "Hello Ada, this is Contoso. How can I help?"
HOURS = "Today we are open from 9 to 18. Is there anything else?"
FAREWELL = "Goodbye, and thank you for calling."


def spoken(text: str) -> bytes:
    """What the local endpoint's voice says."""
    return b"".join(pcm for _, pcm in SyntheticVoice().speak(text, RATE))


def audible(text: str) -> bytes:
    """The same from its first sound to its last."""
    return _audible(array("h", spoken(text)))


def _audible(samples: "array[int]") -> bytes:
    sounds = [index for index, sample in enumerate(samples) if sample]
    return samples[sounds[0] : sounds[-1] + 1].tobytes()


def caller(path: Path, *said: float | str) -> str:
    """A recording of a caller: seconds of silence, and words; returns the flags that have it called in."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        for each in said:
            file.writeframes(spoken(each) if isinstance(each, str) else bytes(2 * round(each * RATE)))
    return f'input={{ kind = "file", path = "{path}" }}'


def call(folder: Path, name: str, *sets: str, text: str = "") -> tuple[Ended, list[dict[str, Any]]]:
    """Call the receptionist; returns how that ended, and its reports."""
    flags = [word for each in sets for word in ("--set", each)]
    ended = Command("--profile", str(PROFILES / name), "--var", "caller=Ada", *flags, folder=folder).end(text)
    reports = [json.loads(line) for line in (folder / "calls" / "reports.jsonl").read_text().splitlines()]
    for each in reports:
        SCHEMA.validate(each)
    return ended, reports


def heard(path: Path) -> bytes:
    """What the caller heard, from the first sound to the last: the right channel of a recording."""
    with wave.open(str(path)) as file:
        both = array("h", file.readframes(file.getnframes()))
    return _audible(both[1::2])


RECORDED = 'outputs=[{ kind = "audio", path = "{session}.wav", track = "both" }]'


def test_a_call_by_voice_goes_from_greeting_to_report(tmp_path: Path) -> None:
    """It greets, looks something up, says good-bye, hangs up when that was heard, and reports all of it."""
    silent_s = len(spoken(GREETING)) / 2 / RATE + 0.3
    line = caller(tmp_path / "caller.wav", silent_s, "When are you open?", 3.0, "Goodbye", 5.0)
    ended, (report,) = call(tmp_path, "receptionist.toml", line, RECORDED)

    assert ended.code == 0, ended.stderr
    assert (report["reason"], report["exit_code"]) == ("hung-up", 0)
    assert [turn["text"] for turn in report["turns"] if turn["role"] == "assistant" and turn["text"]] == [
        GREETING,
        HOURS,
        FAREWELL,
    ]
    assert [(each["name"], each["outcome"]) for each in report["calls"]] == [
        ("opening_hours", "ok"),
        ("end_session", "ok"),
    ]
    assert report["variables"] == {"company": "Contoso", "caller": "Ada"}
    assert all(turn["first_audio_s"] for turn in report["turns"] if turn["text"] in {HOURS, FAREWELL})
    sound = heard(tmp_path / "1.wav")
    assert sound.startswith(audible(GREETING))
    assert audible(HOURS) in sound
    assert sound.endswith(audible(FAREWELL))


@pytest.mark.long
@pytest.mark.parametrize(
    ("condition", "sets"),
    [
        ("whole", []),
        ("cut", ["greeting.interruptible=true"]),
        ("whole", ['endpoint.faults=[{ kind = "drop", after_events = 12 }]', "run.reconnect.initial_delay_s=0.05"]),
    ],
)
def test_the_greeting_is_the_first_thing_heard_in_ten_of_ten_calls(
    tmp_path: Path, condition: str, sets: list[str]
) -> None:
    """Whole, whoever speaks into it and whatever becomes of its connection; cut only where it may be interrupted."""
    line = caller(tmp_path / "caller.wav", 0.4, "Are you a machine?", 2.0)
    ended, reports = call(tmp_path, "receptionist.toml", line, RECORDED, "run.sessions=10", *sets)
    greeting = audible(GREETING)

    assert ended.code == 0, ended.stderr
    assert len(reports) == 10
    for number in range(1, 11):
        sound = heard(tmp_path / f"{number}.wav")
        # A tenth of it is more than anything else begins with.
        assert sound.startswith(greeting[: len(greeting) // 10])
        assert (greeting in sound) is (condition == "whole")


def test_the_same_call_in_writing(tmp_path: Path) -> None:
    """By the child profile; what comes after the good-bye is not answered."""
    ended, (report,) = call(tmp_path, "receptionist-text.toml", text="When are you open?\nGoodbye\nMore\n")

    assert (ended.code, ended.stdout) == (0, f"{GREETING}\n{HOURS}\n{FAREWELL}\n")
    assert report["reason"] == "hung-up"
