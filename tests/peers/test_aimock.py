"""The real command against aimock, a Realtime server of another project, on Node.js.

It is installed by `npm ci` into a temporary folder, from the lock file beside this module.
"""

import json
import os
import re
import signal
import subprocess
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runner import make_profile, open_session
from tests.helpers.command_process import Command, Ended, profile
from tests.helpers.local_client import asked_by_voice, said, silence
from tests.helpers.node_packages import installed

HERE = Path(__file__).parent
INSTALL_TIMEOUT_S = 150
START_TIMEOUT_S = 150
KEY = "sk-made-up-for-aimock"
LONG = "one two three four five six seven eight nine ten"
FIXTURES: list[dict[str, Any]] = [
    {"match": {"userMessage": "count"}, "response": {"content": LONG}, "chunkSize": 5},
    {"match": {"userMessage": "greet"}, "response": {"content": "Grüße, 你好 👋"}, "chunkSize": 3},
    {"match": {"userMessage": "slow"}, "response": {"content": LONG}, "chunkSize": 5, "latency": 60},
    {"match": {"userMessage": "tool", "hasToolResult": True}, "response": {"content": "It is shipped."}},
    {"match": {"userMessage": "tool"}, "response": {"toolCalls": [{"name": "look_up", "arguments": '{"order":"7"}'}]}},
    {"match": {"userMessage": "fail"}, "response": {"error": {"message": "it fell over", "type": "server_error"}}},
    {
        "match": {"userMessage": "quota"},
        "response": {"error": {"message": "no money left", "type": "insufficient_quota", "code": "insufficient_quota"}},
    },
    {"match": {"userMessage": "cut"}, "response": {"content": LONG}, "chunkSize": 5, "truncateAfterChunks": 3},
    {
        "match": {"endpoint": "realtime-transcription"},
        "response": {"transcription": {"text": "what was heard"}},
        "chunkSize": 3,
        "latency": 60,
    },
]
PROFILE = """
version = 1
[endpoint]
kind = "custom"
base_url = "{url}/v1"
{endpoint}
[auth]
kind = "api-key"
api_key = {{ env = "AIMOCK_KEY" }}
{rest}
[run]
on_drift = "ignore"
max_response_retries = 0
[run.reconnect]
max_attempts = 0
"""
CONVERSATION = '[model]\nname = "gpt-realtime-2"\n[session]\noutput_modalities = ["text"]\n'


@pytest.fixture(scope="session")
def aimock_program(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """How to start aimock, installed as the lock file says; nothing is written to the checkout."""
    folder = tmp_path_factory.mktemp("aimock")
    node = installed("aimock", HERE, folder, timeout_s=INSTALL_TIMEOUT_S)
    return [node, str(folder / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js")]


@contextmanager
def running(program: list[str], folder: Path, *arguments: str) -> Iterator[str]:
    """A running aimock that wants a key; yields its base URL."""
    process = subprocess.Popen(
        [*program, "--port", "0", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "AIMOCK_API_KEYS": KEY},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    guard = threading.Timer(START_TIMEOUT_S, process.kill)
    guard.start()
    assert process.stdout
    log: list[str] = []
    address = None
    try:
        for line in process.stdout:
            log.append(line)
            if address := re.search(r"listening on (http://127\.0\.0\.1:\d+)", line):
                break
        guard.cancel()
        assert address, "".join(log)
        reader = threading.Thread(target=lambda: log.extend(process.stdout or ()))
        reader.start()
        yield address[1]
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
        reader.join(5)
    finally:
        guard.cancel()
        process.kill()
        process.wait(5)
        process.stdout.close()


@pytest.fixture(scope="session")
def aimock(aimock_program: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a running aimock with the answers of this module."""
    folder = tmp_path_factory.mktemp("aimock-fixtures")
    (folder / "fixtures.json").write_text(json.dumps({"fixtures": FIXTURES}))
    with running(aimock_program, folder, "--fixtures", "fixtures.json") as address:
        yield address


def started(
    url: str,
    folder: Path,
    *,
    endpoint: str = "",
    rest: str = CONVERSATION,
    key: str = KEY,
    arguments: tuple[str, ...] = (),
) -> Command:
    """The command with a profile for aimock."""
    (folder / "custom.toml").write_text(PROFILE.format(url=url, endpoint=endpoint, rest=rest))
    return Command("--profile", "custom.toml", *arguments, folder=folder, environment={"AIMOCK_KEY": key})


def failure(ended: Ended) -> tuple[int, str, str]:
    """Exit code, message and the endpoint's code of a run that failed."""
    line = ended.logged("run_failed")
    assert line["exit_code"] == ended.code
    return ended.code, line["error"], line.get("code", "")


def test_the_lock_names_one_version_and_no_registry() -> None:
    """What is installed is pinned by version and digest, and comes from whichever registry npm is set up with."""
    lock = json.loads((HERE / "package-lock.json").read_text())
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    locked = {path.removeprefix("node_modules/"): each for path, each in lock["packages"].items() if path}

    assert wanted == {"@copilotkit/aimock": locked["@copilotkit/aimock"]["version"]}
    assert all(each["integrity"].startswith("sha512-") and "resolved" not in each for each in locked.values())
    assert "://" not in (HERE / "package-lock.json").read_text()


def test_a_question_is_answered(aimock: str, tmp_path: Path) -> None:
    """One line in, one answer out, exit code 0."""
    ended = started(aimock, tmp_path).end("count\n")

    assert (ended.code, ended.stdout) == (0, f"{LONG}\n")
    assert [line["level"] for line in ended.log] == ["info", "info"]
    assert ended.logged("session_closed")["responses"] == 1


def test_questions_are_answered_in_order(aimock: str, tmp_path: Path) -> None:
    """Each waits for the answer before it; text beyond ASCII arrives whole though it is cut into pieces of 3 units."""
    ended = started(aimock, tmp_path).end("slow\ngreet\ncount\n")

    assert (ended.code, ended.stdout) == (0, f"{LONG}\nGrüße, 你好 👋\n{LONG}\n")
    assert ended.logged("session_closed")["responses"] == 3


def test_every_event_is_passed_on(aimock: str, tmp_path: Path) -> None:
    """With `format = "events"` the server's own lines come out, a function call's among them."""
    rest = f'{CONVERSATION}[[outputs]]\nkind = "stdout"\nformat = "events"\n'
    ended = started(aimock, tmp_path, rest=rest).end("tool\n")

    events = [json.loads(line) for line in ended.stdout.splitlines()]
    # Lines on standard input cannot answer a call.
    assert ended.code == 78
    assert [event["type"] for event in events[:2]] == ["session.created", "session.updated"]
    (call,) = (event for event in events if event["type"] == "response.function_call_arguments.done")
    assert call["arguments"] == '{"order":"7"}'


def test_a_tool_is_run_and_its_result_answered(aimock: str, tmp_path: Path) -> None:
    """The model calls a program of the profile, and goes on with what it prints."""
    rest = """
[[tools]]
name = "look_up"
parameters = { type = "object", properties = { order = { type = "string" } } }
run = { kind = "command", argv = ["cat"] }
[[outputs]]
kind = "stdout"
[[outputs]]
kind = "transcript"
path = "said.jsonl"
"""
    ended = started(aimock, tmp_path, rest=CONVERSATION + rest).end("tool\n")

    assert (ended.code, ended.stdout) == (0, "It is shipped.\n")
    rows = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == ["tool", '{"order":"7"}', "It is shipped."]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_spoken_question_is_answered_by_its_chat_completions(
    aimock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the local endpoint's language model: what is heard has it call a tool, and the result is spoken."""
    monkeypatch.setenv("AIMOCK_KEY", KEY)
    brain = {"kind": "chat", "base_url": f"{aimock}/v1", "model": "any", "api_key": {"env": "AIMOCK_KEY"}}
    profile = make_profile(endpoint={"kind": "local", "delta_interval_ms": 0, "brain": brain})
    orders: list[str] = []
    async with open_session(profile) as session:

        @session.tool
        def look_up(order: str) -> str:
            """Look up an order."""
            orders.append(order)
            return "shipped"

        assert await asked_by_voice(session, "Use the tool, please.") == "It is shipped."

    assert orders == ["7"]


def test_a_transcription_is_waited_for(aimock: str, tmp_path: Path) -> None:
    """Audio goes in as events, and the transcript comes out although aimock leaves the item out of `committed`."""
    rest = """
[session]
type = "transcription"
[session.audio.input]
transcription = { model = "gpt-4o-transcribe" }
turn_detection = "none"
[input]
kind = "stdin"
format = "events"
[[outputs]]
kind = "transcript"
path = "said.jsonl"
"""
    events = [{"type": "input_audio_buffer.append", "audio": "AAAA"}, {"type": "input_audio_buffer.commit"}]
    ended = started(aimock, tmp_path, rest=rest).end("\n".join(map(json.dumps, events)))

    assert ended.code == 0, ended.stderr
    assert [json.loads(line)["text"] for line in (tmp_path / "said.jsonl").read_text().splitlines()] == [
        "what was heard"
    ]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("fail", (75, "the response failed: it fell over", "server_error")),
        ("nothing like it", (76, "the response failed: No fixture matched", "no_fixture_match")),
    ],
)
def test_a_failed_response_is_reported_and_the_next_question_answered(
    aimock: str, tmp_path: Path, question: str, expected: tuple[int, str, str]
) -> None:
    """The session goes on; the exit code is that of the first failure."""
    ended = started(aimock, tmp_path).end(f"{question}\ncount\n")

    assert failure(ended) == expected
    assert ended.stdout == f"{LONG}\n"
    assert ended.logged("response_failed")["error"] == expected[1]


def test_a_quota_that_is_gone_ends_the_session(aimock: str, tmp_path: Path) -> None:
    """No other question would be answered either."""
    ended = started(aimock, tmp_path).end("quota\ncount\n")

    assert failure(ended) == (77, "the response failed: no money left", "insufficient_quota")
    assert ended.stdout == ""


def test_a_cut_stream_keeps_what_was_said(aimock: str, tmp_path: Path) -> None:
    """The connection breaks in mid-answer: 69, and the pieces that came are on standard output, on a whole line."""
    rest = f'{CONVERSATION}[[outputs]]\nkind = "stdout"\n[[outputs]]\nkind = "transcript"\npath = "said.jsonl"\n'
    ended = started(aimock, tmp_path, rest=rest).end("cut\ncount\n")

    assert failure(ended) == (69, "the connection was lost without a close", "")
    assert ended.stdout == f"{LONG[:15]}\n"
    turn = json.loads((tmp_path / "said.jsonl").read_text().splitlines()[-1])
    assert (turn["role"], turn["text"], turn["status"]) == ("assistant", LONG[:15], "incomplete")


def test_a_wrong_key_is_refused(aimock: str, tmp_path: Path) -> None:
    """401 at the handshake is 77, with the endpoint's words and a hint, and without the key."""
    wrong = "sk-made-up-and-wrong"
    ended = started(aimock, tmp_path, key=wrong).end("count\n")

    message = "the endpoint refused the session with HTTP 401: Invalid API key"
    assert failure(ended) == (77, message, "invalid_api_key")
    assert "auth.api_key" in ended.logged("run_failed")["hint"]
    assert wrong not in ended.stderr


def test_a_close_for_policy_is_a_protocol_error(aimock: str, tmp_path: Path) -> None:
    """A strict aimock closes with 1008 where it has no answer; its reason is told."""
    strict = 'headers = { X-AIMock-Strict = "true" }'
    ended = started(aimock, tmp_path, endpoint=strict).end("greet\nnothing like it\n")

    message = "the endpoint closed the session with 1008: Strict mode: no fixture matched"
    assert failure(ended) == (76, message, "")
    assert ended.stdout == "Grüße, 你好 👋\n"


def test_the_retired_beta_header_is_named(aimock: str, tmp_path: Path) -> None:
    """The session ends before its greeting, by an error event and close 4000; the hint says which header to remove."""
    beta = 'headers = { OpenAI-Beta = "realtime=v1" }'
    ended = started(aimock, tmp_path, endpoint=beta).end("count\n")

    code, message, error_code = failure(ended)
    assert (code, error_code) == (76, "beta_api_shape_disabled")
    assert message.startswith("The Realtime Beta API is no longer supported")
    assert "OpenAI-Beta" in ended.logged("run_failed")["hint"]
    assert ended.stdout == ""


def test_messages_for_people(aimock: str, tmp_path: Path) -> None:
    """On a terminal's format the last words are one sentence and a hint."""
    command = started(aimock, tmp_path, key="sk-made-up-and-wrong", arguments=("--log-format", "console", "-q"))
    ended = command.end("count\n")

    assert ended.code == 77
    assert ended.stderr.splitlines() == [
        "rt-run: the endpoint refused the session with HTTP 401: Invalid API key",
        "  hint: check the secret that `auth.api_key` refers to",
    ]


def test_a_signal_in_mid_answer_drains(aimock: str, tmp_path: Path) -> None:
    """SIGTERM lets the answer finish."""
    command = started(aimock, tmp_path)
    command.write("slow\n")
    begun = command.read(5)
    command.send_signal(signal.SIGTERM)
    ended = command.end()

    assert (ended.code, begun + ended.stdout) == (0, f"{LONG}\n")
    assert ended.logged("session_closed")["reason"] == "signal"


def test_a_server_that_cannot_cancel_is_left_in_time(aimock: str, tmp_path: Path) -> None:
    """Aimock finishes an answer whatever it is told; the end of the grace period comes first and is not exceeded."""
    command = started(aimock, tmp_path, arguments=("--set", "run.grace_s=0.3"))
    command.write("slow\n")
    begun = command.read(5)
    started_s = time.monotonic()
    command.send_signal(signal.SIGTERM)
    ended = command.end()

    assert ended.code in {0, 128 + signal.SIGTERM}
    assert time.monotonic() - started_s < 5
    assert LONG.startswith((begun + ended.stdout).removesuffix("\n"))


def test_a_live_session_keeps_to_the_protocol(aimock_program: list[str], tmp_path: Path) -> None:
    """Between the command, with a tool, and the local endpoint, aimock records both sides and finds nothing wrong."""
    script = """
[endpoint]
kind = "local"
script = [
  { match = 'order (\\d+)', reply = "I look.", calls = [{ name = "look_up", arguments = { order = '\\1' } }] },
  { output = 'order', reply = "It is shipped." },
]
"""
    local = profile(tmp_path, script, name="served")
    server = Command("serve-local", "--listen", "127.0.0.1:0", "--profile", local, folder=tmp_path)
    assert server.process.stdout
    upstream = server.process.stdout.readline().decode().strip().removesuffix("v1")
    with wave.open(str(tmp_path / "question.wav"), "wb") as question:
        question.setparams((1, 2, 24_000, 0, "NONE", ""))
        question.writeframes(said("Order 7?") + silence(600))
    rest = """
[model]
name = "gpt-live-1"
[session]
type = "live"
audio = { format = { type = "audio/pcm", rate = 24000 } }
[session.delegation]
type = "responses"
responses = { model = "gpt-5.2" }
[[tools]]
name = "look_up"
parameters = { type = "object", properties = { order = { type = "string" } } }
run = { kind = "command", argv = ["cat"] }
[input]
kind = "file"
path = "question.wav"
[[outputs]]
kind = "transcript"
path = "said.jsonl"
"""
    recording = ("--record", "--provider-openai", upstream, "--fixtures", ".")
    with running(aimock_program, tmp_path, *recording) as address:
        ended = started(address, tmp_path, rest=rest).end()
    server.send_signal(signal.SIGTERM)

    assert (ended.code, server.end().code) == (0, 0), ended.stderr
    rows = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    # A tool that takes its time makes two turns of what is said before and after it.
    said_by = {role: " ".join(row["text"] for row in rows if row["role"] == role) for role in ("user", "assistant")}
    assert said_by == {"user": "Order 7?", "assistant": "I look. It is shipped."}
    (recorded,) = (tmp_path / "recorded").glob("openai-live-*.json")
    (fixture,) = json.loads(recorded.read_text())["fixtures"]
    live = fixture["response"]["live"]
    assert live["capture"]["complete"]
    assert live["entries"][-1]["event"]["reason"] == "close_requested"
