"""The examples of the Python API run, as programs of their own."""

import os
import wave
from pathlib import Path

import pytest

from tests.helpers.forked_process import ForkedProcess

PROFILE = 'version = 1\n[endpoint]\nkind = "local"\n[session]\noutput_modalities = ["text"]\n'


def run(repository: Path, name: str, *arguments: str, folder: Path, stdin: str = "") -> tuple[int, str, str]:
    """Run an example; returns its exit code, what it has printed, and what it has written to standard error."""
    program = repository / "docs" / "examples" / f"{name}.py"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    process = ForkedProcess(arguments, folder=folder, environment=environment, program=program)
    out, err = process.communicate(stdin.encode())
    return process.wait(), out.decode(), err.decode()


def example(repository: Path, name: str, *arguments: str, folder: Path, stdin: str = "") -> str:
    """What an example prints, run in a folder with a profile `local`."""
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "local.toml").write_text(PROFILE)
    code, out, err = run(repository, name, *arguments, folder=folder, stdin=stdin)
    assert (code, err) == (0, "")
    return out


def test_ask(repository: Path, tmp_path: Path) -> None:
    """One answer whole, one in pieces."""
    assert example(repository, "ask", folder=tmp_path).splitlines() == [
        "You said: Hello",
        "You said: What is 2+2?",
    ]


@pytest.mark.parametrize("name", ["ask", "many_sessions", "reader"])
def test_what_is_wrong_is_one_line(repository: Path, tmp_path: Path, name: str) -> None:
    """An error of rt-run is for people."""
    code, _, err = run(repository, name, "nowhere", folder=tmp_path)

    assert code == 1
    assert "there is no profile 'nowhere'" in err
    assert "Traceback" not in err


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
