"""`rt-run test` as a command: what it tells, its exit codes, JUnit, and how it ends."""

import json
import signal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.helpers.command_process import Command

PROFILE = 'version = 1\n[endpoint]\nkind = "local"\n[session]\noutput_modalities = ["text"]\n'
HELLO = '[[turns]]\nuser = "Hello"\nexpect = [{ text_contains = ["You said: Hello"] }]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a profile and three scenarios, of which one fails."""
    files = {
        "profiles/echo.toml": PROFILE,
        "profiles/scenarios/one.toml": f'version = 1\nprofile = "echo"\n{HELLO}',
        "profiles/scenarios/two.toml": f'version = 1\nprofile = "echo"\n{HELLO.replace("You", "I")}',
        "profiles/scenarios/more/three.toml": f'version = 1\nprofile = "../../echo.toml"\n{HELLO}',
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    return tmp_path


def test_verdicts_for_people_for_programs_and_for_ci(folder: Path) -> None:
    """One has failed; the transcript is beside the reason; two equal runs write the same JUnit."""
    ended = Command("test", "--junit", "one.xml", "--jobs", "3", folder=folder).end()
    again = Command("test", "--junit", "two.xml", "--output", "json", folder=folder).end()
    told = json.loads(again.stdout)

    printed = Command("test", "--from", told["scenarios"][2]["journal"], folder=folder).end()

    assert (ended.code, again.code, ended.stderr) == (1, 1, "")
    assert (printed.code, printed.stderr) == (0, "")
    assert 'user = "Hello"\nexpect = [\n  { text_contains = ["You said: Hello"] },\n]' in printed.stdout
    lines = ended.stdout.splitlines()
    assert [each.split("  (")[0] for each in lines if not each.startswith(" ")] == [
        "passed   profiles/scenarios/more/three",
        "passed   profiles/scenarios/one",
        "failed   profiles/scenarios/two",
        "2 passed, 1 failed",
    ]
    assert '  turn 1 ("Hello"): the agent was to say "I said: Hello", and said "You said: Hello"' in lines
    assert lines[-4:-2] == ["  | user: Hello", "  | agent: You said: Hello"]
    assert (told["passed"], told["failed"], told["not_run"]) == (2, 1, 0)
    assert Path(told["scenarios"][2]["journal"]).is_relative_to(folder / ".local")
    assert (folder / "one.xml").read_bytes() == (folder / "two.xml").read_bytes()
    suite = ET.parse(folder / "one.xml").getroot()[0]  # noqa: S314  # it is our own
    assert [(each.get("classname"), each.get("name"), len(each)) for each in suite] == [
        ("echo", "profiles/scenarios/more/three", 0),
        ("echo", "profiles/scenarios/one", 0),
        ("echo", "profiles/scenarios/two", 1),
    ]


@pytest.mark.parametrize(
    ("arguments", "text", "code", "told"),
    [
        (["-k", "nothing"], "", 2, "-k nothing: no scenario has this in its name"),
        (["elsewhere"], "", 2, "there is no file or folder elsewhere"),
        (["--repeat", "0"], "", 2, "must be a number from 1 to 1000"),
        (["--from", "absent.jsonl"], "", 74, "the journal absent.jsonl cannot be read"),
        (["profiles/scenarios", "--from", "x.jsonl"], "", 2, "--from: it prints a scenario, and runs none"),
        (["--from", "x.jsonl", "--junit", "x.xml", "--repeat", "2"], "", 2, "hint: leave out --repeat and --junit"),
        (
            ["--profile", "transcribe"],
            "",
            78,
            "one.toml:4:8: turns.0.user: a transcription session takes audio, not text; write spoken = true",
        ),
        (
            [],
            'version = 1\nprofile = "echo"\n[[turns]]\naudio = "x.wav"\n',
            78,
            "turns.0.audio: there is no file x.wav",
        ),
        (
            [],
            f'version = 1\nprofile = "echo"\n[[turns]]\naudio = "{"x" * 300}"\n',
            78,
            "turns.0.audio: there is no file x",
        ),
        (["--junit", "no/out.xml"], "", 74, "no/out.xml cannot be written: there is no folder no"),
        (["--profile", "ekko"], "", 78, "there is no profile 'ekko'"),
        ([], "version = 1\n[[turn]]\n", 78, "profiles/scenarios/bad.toml:2:3: turn: unknown key; did you mean turns?"),
        ([], f'version = 1\nprofile = "echo"\nvariables = {{ who = "x" }}\n{HELLO}', 78, "who"),
        (
            [],
            f'version = 1\nprofile = "echo"\n{HELLO}over = true\n',
            78,
            "the first turn has no answer to be said over",
        ),
        (
            [],
            f'version = 1\nprofile = "echo"\n{HELLO}[tool_results.find]\noutput = ""\n',
            78,
            "has no tool of this name",
        ),
        (
            [],
            'version = 1\nprofile = "echo"\n[[turns]]\nuser = "Hi"\nexpect = [{ calls = "a", absent = "call" }]\n',
            78,
            "profiles/scenarios/bad.toml:5:11: turns.0.expect.0: an expectation is about one thing",
        ),
        (["profiles/scenarios/bad.toml", "--endpoint", "profile"], f'version = 1\nprofile = "echo"\n{HELLO}', 0, ""),
    ],
)
def test_what_is_wrong_is_reported_before_anything_runs(
    folder: Path, arguments: list[str], text: str, code: int, told: str
) -> None:
    """With its place and a hint."""
    if text:
        (folder / "profiles" / "scenarios" / "bad.toml").write_text(text)
    ended = Command("test", *arguments, folder=folder).end()

    assert (ended.code, told in ended.stderr) == (code, True), ended.stderr
    assert code == 0 or ended.stdout == ""


def test_a_signal_ends_it_with_the_verdicts_until_then(folder: Path) -> None:
    """What was not run is told, and counts as that."""
    slow = PROFILE.replace('kind = "local"', 'kind = "local"\ndelta_interval_ms = 10000')
    (folder / "profiles" / "echo.toml").write_text(slow)
    flags = ("-v", "--log-format", "json", "test", "profiles/scenarios/one.toml")
    command = Command(*flags, "--endpoint", "profile", "--junit", "out.xml", folder=folder)
    command.wait_for_log("session_opened")
    command.send_signal(signal.SIGTERM)
    ended = command.end()

    assert (ended.code, ended.stdout) == (143, "0 passed, 1 not run\n")
    assert '<error message="a signal has ended the command before it was over"' in (folder / "out.xml").read_text()
