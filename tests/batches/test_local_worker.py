"""A row as a session against the local endpoint: what goes in, what becomes of it, and the files that it writes."""

import gc
import json
import resource
from pathlib import Path
from typing import Any

import pytest

from runner.batches.batch_row import BatchRow
from runner.batches.local_worker import LocalWorker
from runner.connect.websocket import WebSocket
from runner.local.speech.tones import SyntheticVoice
from runner.profile import LoadedProfile, load_profile
from runner.runs.session_run import SessionRun
from runner.session.carriage import Carriage
from runner.session.link import Link
from runner.session.session import Session
from tests.helpers.endpoint_scripts import attentive
from tests.helpers.hearing_peers import recording
from tests.helpers.peer import serving

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

_MOST_ROWS = 20
HELD = (SessionRun, Session, Carriage, Link, WebSocket)
PROFILE = """
version = 1
[endpoint]
kind = "local"
script = [{ match = '.', reply = "Hello to you." }]
[session]
output_modalities = ["text"]
instructions = "Speak to {{customer}}."
[variables]
customer = { default = "nobody" }
[run.limits]
prices = { input_text = 1_000_000.0 }
[[outputs]]
kind = "stdout"
[[outputs]]
kind = "transcript"
path = "out/{row}.jsonl"
[journal]
path = "out/{customer}-{row}.jsonl"
"""
TRANSCRIPTION = """
version = 1
[endpoint]
kind = "local"
[session]
type = "transcription"
[session.audio.input]
transcription = { model = "gpt-transcribe" }
[input]
kind = "file"
path = "unused.wav"
pace = "fast"
"""


def loaded(folder: Path, text: str) -> LoadedProfile:
    """A profile."""
    path = folder / "desk.toml"
    path.write_text(text)
    return load_profile(str(path), environ={})


def spoken(folder: Path, words: str) -> str:
    """The path of a recording of somebody who says this."""
    sound = b"".join(sound for _, sound in SyntheticVoice().speak(words, 24_000))
    return str(recording(folder / "said.wav", sound, rate=24_000))


def lines(path: str) -> list[str]:
    """The lines of a file."""
    return Path(path).read_text().splitlines()


def row(row_id: str, **said: Any) -> BatchRow:
    """A row."""
    return BatchRow(row_id, 3, "digest", **said)


async def test_a_question_and_its_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With usage, cost, latencies, ids, and files of its own in whose names are its id and its variables."""
    monkeypatch.chdir(tmp_path)
    result = await LocalWorker(loaded(tmp_path, PROFILE)).run(row("a/7", text="Hi?", variables={"customer": "Ada"}))

    assert (result.id, result.status, result.reason, result.exit_code, result.error) == (
        "a/7",
        "succeeded",
        "input-end",
        0,
        None,
    )
    (turn,) = result.turns
    assert (turn["input"], turn["text"], turn["status"], result.text) == (
        "Hi?",
        "Hello to you.",
        "completed",
        "Hello to you.",
    )
    assert result.cost == result.usage["input_text_tokens"] == turn["usage"]["input_tokens"] > 0
    assert result.latencies.opened_ms is not None
    assert 0 <= result.latencies.opened_ms <= result.duration_s * 1000
    assert (result.latencies.first_ms, result.latencies.done_ms) == tuple(turn["latencies"].values())
    assert result.session_id.startswith("sess_")
    (transcript,), (journal,) = result.files["transcript"], result.files["journal"]
    assert [json.loads(line)["text"] for line in lines(transcript)] == ["Hi?", "Hello to you."]
    assert Path(transcript).name.startswith("a_7~")
    assert Path(journal).name.startswith("Ada-a_7~")
    assert any(result.run_id in line for line in lines(journal))
    assert (result.digest, result.profile, result.attempts, result.run) == ("digest", "desk", 1, 1)


async def test_a_recording_and_its_words(tmp_path: Path) -> None:
    """As the profile's own input says: fast; the text is what was said."""
    result = await LocalWorker(loaded(tmp_path, TRANSCRIPTION)).run(row("1", file=spoken(tmp_path, "Good morning")))

    assert (result.status, result.text) == ("succeeded", "Good morning")
    assert [(each["input"], each["text"]) for each in result.turns] == [(None, "Good morning")]
    assert result.usage


@pytest.mark.parametrize(
    ("said", "code", "message", "fails_all"),
    [
        ({"file": "/no/such.wav"}, 74, "/no/such.wav", False),
        ({"text": "Hello"}, 74, "input: a transcription session takes audio, not text", False),
        ({"file": "/dev/null", "variables": {"x": "y"}}, 78, "variables: the profile has no variable 'x'", True),
    ],
)
async def test_a_row_that_cannot_run_has_a_result(
    tmp_path: Path, said: dict[str, Any], code: int, message: str, fails_all: bool
) -> None:
    """What is wrong, and with what exit code; nothing is raised."""
    result = await LocalWorker(loaded(tmp_path, TRANSCRIPTION)).run(row("1", **said))

    assert result.error
    assert (result.status, result.exit_code, result.reason, result.fails_all) == ("failed", code, "failed", fails_all)
    assert message in result.error.message
    assert (result.text, result.turns, result.session_id) == ("", [], "")


async def test_an_endpoint_that_is_not_there_may_pass(tmp_path: Path) -> None:
    """Its failure is one that another attempt may not meet."""
    text = TRANSCRIPTION.replace('kind = "local"', 'kind = "custom"\nbase_url = "http://127.0.0.1:9/v1"', 1)
    worker = LocalWorker(loaded(tmp_path, text + "[run.reconnect]\nmax_attempts = 0\n"))

    result = await worker.run(row("1", file=spoken(tmp_path, "Hello")))

    assert (result.exit_code, result.may_pass, result.fails_all) == (69, True, False)
    assert result.error
    assert "cannot reach" in result.error.message


async def test_all_sessions_may_have_their_files_open(tmp_path: Path) -> None:
    """The soft limit is raised to what they need, a recording and a journal each."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, before[1]))
        LocalWorker(loaded(tmp_path, PROFILE + "[batch]\nconcurrency = 100\n"))
        raised, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert raised == 256 + 100 * 3


async def test_the_memory_of_a_session_is_given_back_when_it_ends(tmp_path: Path) -> None:
    """Nothing of it waits for the garbage collector, which looks rarely while rows run."""
    async with serving(attentive) as (port, _):
        remote = f'kind = "custom"\nbase_url = "http://127.0.0.1:{port}"\n[auth]\nkind = "none"\n[session]'
        worker = LocalWorker(loaded(tmp_path, f"version = 1\n[endpoint]\n{remote}\n"))
        kept: list[object] = []
        for number in range(_MOST_ROWS):
            gc.collect()
            others = {id(each) for each in gc.get_objects() if isinstance(each, HELD)}
            gc.disable()
            try:
                result = await worker.run(row(str(number), text="Hi?"))
                kept = [each for each in gc.get_objects() if isinstance(each, HELD) and id(each) not in others]
            finally:
                gc.enable()
            assert result.status == "succeeded"
            # A task that is cancelled while its connection closes stands in a traceback, in a circle of anyio's.
            if not kept:
                return
    pytest.fail(f"something is always left: {kept}")
