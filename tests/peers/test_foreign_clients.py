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

from tests.helpers.command_process import Command, profile
from tests.helpers.local_client import said, silence
from tests.helpers.node_packages import installed

AGENTS = Path(__file__).parent / "agents"
INSTALL_TIMEOUT_S = 60
TURN_TIMEOUT_S = 60
QUESTION = "What time is it?"
CALLING = """
[endpoint]
kind = "local"
script = [{ match = 'order (\\d+)', calls = [{ name = "order", arguments = { number = '\\1' } }] }]
"""
USED = "The function answered: order 7 is shipped"
ANSWER = f"You said: {QUESTION}"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a running `serve-local`, without its scheme."""
    folder = tmp_path_factory.mktemp("served")
    name = profile(folder, CALLING)
    server = Command("serve-local", "--listen", "127.0.0.1:0", "--profile", name, folder=folder)
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


@pytest.mark.filterwarnings(r"ignore:connect\(\) must be used as a context manager")  # openai-python's own, yet
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


@pytest.mark.filterwarnings(r"ignore:connect\(\) must be used as a context manager")  # openai-python's own, yet
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
