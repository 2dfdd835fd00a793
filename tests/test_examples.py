"""The examples of the Python API run, as programs of their own."""

import subprocess
import sys
import wave
from pathlib import Path

import pytest

PROFILE = 'version = 1\n[endpoint]\nkind = "local"\n[session]\noutput_modalities = ["text"]\n'


def example(repository: Path, name: str, *arguments: str, folder: Path, stdin: str = "") -> str:
    """What an example prints, run in a folder with a profile `local`."""
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "local.toml").write_text(PROFILE)
    done = subprocess.run(
        [sys.executable, str(repository / "docs" / "examples" / f"{name}.py"), *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_ask(repository: Path, tmp_path: Path) -> None:
    """One answer whole, one in pieces."""
    assert example(repository, "ask", folder=tmp_path).splitlines() == [
        "You said: Hello",
        "You said: What is 2+2?",
    ]


@pytest.mark.parametrize("name", ["ask", "many_sessions", "reader"])
def test_what_is_wrong_is_one_line(repository: Path, tmp_path: Path, name: str) -> None:
    """An error of rt-run is for people."""
    done = subprocess.run(
        [sys.executable, str(repository / "docs" / "examples" / f"{name}.py"), "nowhere"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "there is no profile 'nowhere'" in done.stderr
    assert "Traceback" not in done.stderr


def test_voice_to_file(repository: Path, tmp_path: Path) -> None:
    """The audio of the answer as a WAV file, and its transcript."""
    said = example(repository, "voice_to_file", "answer.wav", folder=tmp_path)

    with wave.open(str(tmp_path / "answer.wav")) as file:
        assert file.getframerate() == 24_000
        assert file.getnframes() > 4_800
    assert said == "You said: Hello\n"


@pytest.mark.parametrize("count", [25])
def test_many_sessions(repository: Path, tmp_path: Path, count: int) -> None:
    """Every question is answered in a session of its own."""
    questions = [f"{number}+1?" for number in range(count)]
    said = example(repository, "many_sessions", folder=tmp_path, stdin="\n".join(questions))

    assert sorted(said.splitlines()) == sorted(f"{number}+1? You said: {number}+1?" for number in range(count))


def test_reader(repository: Path, tmp_path: Path) -> None:
    """A reader is called with each update."""
    assert example(repository, "reader", folder=tmp_path).startswith("The answer began after ")
