"""Clients of other projects have a spoken turn, and one with a tool, with the real `rt-run serve-local`.

The one for Node.js is installed by `npm ci` into a temporary folder, from the lock file in `agents`.
"""

import base64
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from openai.types.live import ServerEvent
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.helpers.command_process import Command, profile
from tests.helpers.live_client import MODEL, heard_words, live_schema, types, words
from tests.helpers.local_client import said, silence
from tests.helpers.node_packages import installed

pytestmark = pytest.mark.filterwarnings(
    r"ignore:connect\(\) must be used as a context manager"
)  # openai-python's own, yet
AGENTS = Path(__file__).parent / "agents"
INSTALL_TIMEOUT_S = 150
TURN_TIMEOUT_S = 150
QUESTION = "What time is it?"
CALLING = """
[endpoint]
kind = "local"
script = [
  { match = 'order (\\d+)', calls = [{ name = "order", arguments = { number = '\\1' } }] },
  { match = 'weather', reply = "One moment.", delegates = true },
]
"""
USED = "The function answered: order 7 is shipped"
ANSWER = f"You said: {QUESTION}"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a running `serve-local`, without its scheme."""
    folder = tmp_path_factory.mktemp("served")
    name = profile(folder, CALLING)
    server = Command("serve-local", "--listen", "127.0.0.1:0", "--profile", name, folder=folder, timeout_s=600)
    assert server.process.stdout
    yield server.process.stdout.readline().decode().strip().removeprefix("http://")
    server.send_signal(signal.SIGTERM)
    assert server.end().code == 0


@pytest.fixture(scope="module")
def turn() -> bytes:
    """A question in the synthetic voice, and the silence that ends it: 16-bit samples at 24 kHz."""
    return silence(500) + said(QUESTION) + silence(1500)


def test_openai_agents_realtime_has_a_spoken_turn_and_a_tool(address: str, turn: bytes, tmp_path: Path) -> None:
    """OpenAI's SDK for JavaScript: it is heard and answered aloud, written down, and its tool is called."""
    node = installed("@openai/agents-realtime", AGENTS, tmp_path, timeout_s=INSTALL_TIMEOUT_S)
    (tmp_path / "question.pcm").write_bytes(turn)

    def ran(program: str, *arguments: str) -> dict[str, Any]:
        shutil.copy(AGENTS / program, tmp_path)
        command = [node, program, f"ws://{address}/realtime?model=gpt-realtime", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=TURN_TIMEOUT_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    found = ran("spoken_turn.mjs", "question.pcm")
    assert found["errors"] == []
    assert found["history"] == [["user", QUESTION], ["assistant", ANSWER]]
    assert found["audioBytes"] == len(said(ANSWER))
    assert ran("tool_loop.mjs") == {"said": [USED], "calls": ['{"number":"7"}'], "errors": []}


def test_openai_python_has_a_spoken_turn(address: str, turn: bytes) -> None:
    """OpenAI's SDK for Python, likewise."""
    detection = {"type": "server_vad", "silence_duration_ms": 300}
    audio: Any = {"input": {"turn_detection": detection, "transcription": {"model": "gpt-4o-mini-transcribe"}}}
    heard = answer = ""
    audio_bytes = 0
    shown: list[object] = []
    with OpenAI(api_key="any", base_url=f"http://{address}") as client:  # noqa: SIM117  # the inner block belongs to the client
        with client.realtime.connect(model="gpt-realtime") as connection:
            connection.session.update(session={"type": "realtime", "audio": audio})
            for start in range(0, len(turn), 4800):
                connection.input_audio_buffer.append(audio=base64.b64encode(turn[start : start + 4800]).decode())
            for event in connection:
                assert event.type != "error", event
                if event.type == "conversation.item.added":
                    shown.append(event.item.model_dump(exclude_unset=True).get("content"))
                elif event.type == "conversation.item.input_audio_transcription.completed":
                    heard = event.transcript
                elif event.type == "response.output_audio.delta":
                    audio_bytes += len(base64.b64decode(event.delta))
                elif event.type == "response.output_audio_transcript.done":
                    answer = event.transcript
                if event.type == "rate_limits.updated":
                    break  # not before: closing with a full queue keeps websockets waiting for ten seconds

    assert (heard, answer) == (QUESTION, ANSWER)
    assert shown[0] == [{"type": "input_audio", "transcript": None}]
    assert audio_bytes == len(said(ANSWER))


def test_openai_python_completes_a_tool_loop(address: str) -> None:
    """The client answers the call, asks for a response, and hears the result."""
    tool: Any = {"type": "function", "name": "order", "parameters": {"type": "object"}}
    item: Any = None
    answer = ""
    with OpenAI(api_key="any", base_url=f"http://{address}") as client:  # noqa: SIM117  # as above
        with client.realtime.connect(model="gpt-realtime") as connection:
            connection.session.update(session={"type": "realtime", "output_modalities": ["text"], "tools": [tool]})
            message: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Order 7?"}]}
            connection.conversation.item.create(item=message)
            connection.response.create()
            for event in connection:
                assert event.type != "error", event
                if event.type == "response.function_call_arguments.done":
                    output = f"order {json.loads(event.arguments)['number']} is shipped"
                    item = {"type": "function_call_output", "call_id": event.call_id, "output": output}
                elif event.type == "response.output_text.done":
                    answer = event.text
                elif event.type == "rate_limits.updated" and answer:
                    break
                elif event.type == "rate_limits.updated":
                    connection.conversation.item.create(item=item)
                    connection.response.create()

    assert answer == USED


class LiveTalk:
    """A Live session of openai-python, every event of which is judged by the official schema and by openai's types."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._models: TypeAdapter[Any] = TypeAdapter(ServerEvent)
        self._nested: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

    def until(self, kind: str) -> list[dict[str, Any]]:
        """The events up to the first of a kind."""
        events: list[dict[str, Any]] = []
        while not events or events[-1]["type"] != kind:
            event = json.loads(self._connection.recv_bytes())
            live_schema("LiveServerEvent")(event)
            model = self._models.validate_python(event)
            assert model.model_dump(mode="json", exclude_unset=True, by_alias=True) == event
            assert model.type == self._connection.parse_event(json.dumps(event)).type
            if event["type"] == "response.event":
                self._nested.validate_python(event["event"])
            assert event["type"] != "error", event
            events.append(event)
        return events

    def say(self, text: str, quiet_ms: int = 1500) -> None:
        """Say something, and be silent so long."""
        audio = said(text) + silence(quiet_ms)
        for start in range(0, len(audio), 4800):
            chunk = base64.b64encode(audio[start : start + 4800]).decode()
            self._connection.session.input_audio.append(audio=chunk)


def test_openai_python_has_a_live_session(address: str) -> None:
    """It is heard and answered aloud, delegates to a Responses model, closes in order, and is forked."""
    tool: Any = {"type": "function", "name": "order", "parameters": {"type": "object"}, "strict": False}
    backend: Any = {"type": "responses", "responses": {"model": "gpt-5.2", "tools": [tool]}}
    client = OpenAI(api_key="any", base_url=f"http://{address}")
    with client, client.live.connect() as connection:
        talk = LiveTalk(connection)
        connection.session.start(session={"model": MODEL, "delegation": backend, "store": True})
        (started,) = talk.until("session.started")
        talk.say(QUESTION)
        connection.session.input_audio.mute()
        spoken = talk.until("session.input_audio.muted")
        connection.session.input_audio.unmute()
        talk.say("Where is order 7?")
        delegated = talk.until("response.event")
        while delegated[-1].get("event", {}).get("type") != "response.completed":
            delegated += talk.until("response.event")
        calls = [each["event"]["item"] for each in delegated if each.get("event", {}).get("item")]
        output = f"order {json.loads(calls[-1]['arguments'])['number']} is shipped"
        item: Any = {"type": "function_call_output", "call_id": calls[-1]["call_id"], "output": output}
        connection.response.item.create(item=item)
        connection.response.create()
        talk.say("", quiet_ms=1500)
        connection.session.close(event_id="bye")
        closed = talk.until("session.closed")
        with client.live.forks.connect(session_id=started["session"]["id"]) as fork:
            talk = LiveTalk(fork)
            fork.session.start(session={"store": False})
            (forked,) = talk.until("session.started")
            fork.session.close()
            talk.until("session.closed")

    assert (forked["session"]["delegation"], forked["session"]["store"]) == (started["session"]["delegation"], False)
    assert started["session"]["delegation"]["responses"]["tools"] == [tool]
    assert (words(spoken, "input"), words(spoken), heard_words(spoken)) == (QUESTION, ANSWER, ANSWER)
    assert "session.delegation.created" in types(delegated)
    assert words(closed) == f" {USED}"
    assert (closed[-1]["reason"], closed[-1]["client_event_id"]) == ("close_requested", "bye")


def test_openai_python_does_what_a_live_session_delegates(address: str) -> None:
    """A task for the client is answered by its id; a recording is played; nothing is said that was not given."""
    recording = base64.b64encode(said("Welcome.")).decode()
    with OpenAI(api_key="any", base_url=f"http://{address}") as client, client.live.connect() as connection:
        talk = LiveTalk(connection)
        connection.session.start(session={"model": MODEL})
        talk.until("session.started")
        connection.session.output_audio.fixture.play(audio=recording)
        played = talk.until("session.output_audio.fixture.played")
        talk.say("How is the weather?", quiet_ms=900)
        delegation = talk.until("session.delegation.created")[-1]["delegation"]
        connection.session.thinking.append(content="Looking.", delegation_id=delegation["id"])
        connection.session.commentary.append(content="It is sunny.", delegation_id=delegation["id"])
        talk.say("", quiet_ms=900)
        connection.session.close()
        closed = talk.until("session.closed")

    assert heard_words(played) == "Welcome."
    assert words(closed) == "One moment. It is sunny."
