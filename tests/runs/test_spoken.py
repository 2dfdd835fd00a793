"""Whole conversations by voice, through the real command and the local endpoint, without a model."""

import json
import time
import wave
from pathlib import Path

import pytest

from runner.audio.format import PCM
from tests.helpers.command_process import Command, Ended

QUESTION = "Say it again, please."
PROFILE = """
version = 1
[endpoint]
kind = "local"
script = [{{ match = "say (.+)", reply = 'Gladly: \\1 And once more, for all who did not hear it.' }}]
[session]
output_modalities = ["audio"]
[session.audio.input]
format = {{ type = "{encoding}" }}
transcription = {{ model = "tones" }}
[session.audio.output]
format = {{ type = "{encoding}" }}
[journal]
path = "journal-{{session}}.jsonl"
[[outputs]]
kind = "transcript"
path = "transcript-{{session}}.jsonl"
[[outputs]]
kind = "audio"
path = "answer-{{session}}.wav"
"""
ANSWER = "Gladly: it again, please. And once more, for all who did not hear it."
TRANSCRIBE = """
version = 1
[endpoint]
kind = "local"
[session]
type = "transcription"
[session.audio.input]
transcription = { model = "tones" }
[input]
kind = "file"
path = "answer-1.wav"
pace = "fast"
"""


def run(folder: Path, name: str, *sets: str, text: str = "") -> Ended:
    """Run a profile with these values to its end."""
    values = [word for each in sets for word in ("--set", each)]
    return Command("--profile", f"{name}.toml", *values, folder=folder).end(text)


def spoken_question(folder: Path) -> Path:
    """A recording of the question, in the endpoint's own voice."""
    path, name = folder / "question.wav", "speaker"
    (folder / f"{name}.toml").write_text(
        'version = 1\n[endpoint]\nkind = "local"\nscript = [{ match = ".*", reply = "' + QUESTION + '" }]\n'
        '[session]\noutput_modalities = ["audio"]\n[[outputs]]\nkind = "audio"\npath = "question.wav"\n'
    )
    assert run(folder, name, text="Speak.\n").code == 0
    return path


def said(folder: Path, session: int = 1) -> list[dict[str, object]]:
    """The turns of a transcript."""
    return [json.loads(line) for line in (folder / f"transcript-{session}.jsonl").read_text().splitlines()]


def answered(folder: Path, session: int) -> bool:
    """Whether the answer has begun to be heard, by the journal."""
    journal = folder / f"journal-{session}.jsonl"
    return journal.exists() and '"response.output_audio.delta"' in journal.read_text()


def samples(path: Path) -> int:
    """How many there are in a recording."""
    with wave.open(str(path)) as recording:
        return int(recording.getnframes())


@pytest.mark.parametrize("encoding", ["audio/pcm", "audio/pcmu", "audio/pcma"])
def test_a_spoken_question_gets_a_spoken_answer(tmp_path: Path, encoding: str) -> None:
    """Both transcripts are right, word for word, and so is what is heard in the recording of the answer."""
    question = spoken_question(tmp_path)
    (tmp_path / "ask.toml").write_text(PROFILE.format(encoding=encoding))
    (tmp_path / "transcribe.toml").write_text(TRANSCRIBE)

    ended = run(tmp_path, "ask", "input.kind=file", f"input.path={question}")
    written = run(tmp_path, "transcribe")

    assert ended.code == 0, ended.stderr
    assert [(turn["role"], turn["text"]) for turn in said(tmp_path)] == [("user", QUESTION), ("assistant", ANSWER)]
    assert (written.code, written.stdout) == (0, f"{ANSWER}\n")


@pytest.mark.long
def test_who_speaks_over_an_answer_cuts_it_to_what_was_heard(tmp_path: Path) -> None:
    """Four of four at once: the endpoint is told what the recording holds, within 60 ms, and so is the transcript."""
    with wave.open(str(spoken_question(tmp_path))) as question:
        speech = question.readframes(question.getnframes())
    more = " And again." * 24
    (tmp_path / "ask.toml").write_text(PROFILE.format(encoding="audio/pcm").replace("hear it.", f"hear it.{more}"))
    values = ("input.kind=stdin", "input.format=audio", "run.sessions=4")
    command = Command("--profile", "ask.toml", *(word for each in values for word in ("--set", each)), folder=tmp_path)
    assert command.process.stdin

    command.process.stdin.write(speech + PCM.silence(PCM.size_bytes(1000)))
    while not all(answered(tmp_path, session) for session in range(1, 5)):
        assert command.process.poll() is None
        time.sleep(0.05)
    command.process.stdin.write(speech)
    ended = command.end()

    assert ended.code == 0, ended.stderr
    for session in range(1, 5):
        events = [
            json.loads(line)["event"] for line in (tmp_path / f"journal-{session}.jsonl").read_text().splitlines()
        ]
        cuts = [each["audio_end_ms"] for each in events if each["type"] == "conversation.item.truncate"]
        turns = said(tmp_path, session)
        whole_ms = int(str(turns[3]["heard_ms"]))
        recorded_ms = samples(tmp_path / f"answer-{session}.wav") / 24 - whole_ms

        assert [turn["status"] for turn in turns] == ["completed", "interrupted", "completed", "completed"]
        assert len(cuts) == 1
        assert 0 < cuts[0] < whole_ms
        assert abs(cuts[0] - recorded_ms) < 60
        assert turns[1]["heard_ms"] == cuts[0]
        assert (ANSWER + more).startswith(str(turns[1]["text"]))
        truncated = [each for each in events if each["type"] == "conversation.item.truncated"]
        assert [each["audio_end_ms"] for each in truncated] == cuts
