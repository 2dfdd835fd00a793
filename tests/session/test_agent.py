"""The agent that is checked in: tools of every kind in one conversation, none of it simulated but the model."""

import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import HTTPServer
from pathlib import Path

import pytest

from runner import load_profile, open_session
from tests.helpers.local_client import asked_by_voice
from tests.helpers.log_capture import captured_log

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """One event loop is enough: programs, a thread and servers do the work."""
    return "asyncio"


@pytest.fixture
def prices(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the service that is asked for prices; what it imports is forgotten."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(repository / "profiles" / "agent")])
    import prices as service  # type: ignore[import-not-found]  # it stands beside the profile

    monkeypatch.setattr(service.Prices, "log_message", lambda *_: None)
    with HTTPServer(("127.0.0.1", 0), service.Prices) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/price"
        server.shutdown()
        thread.join()
    for name in ("prices", "tea_tables"):
        sys.modules.pop(name, None)


QUESTIONS = {
    "Where is order 17?": "The function answered: Order 17 is shipped on Monday.",
    "And order 99?": "The function answered: The tool failed with exit code 1.\nThere is no order 99.",
    "A table for 4, please.": 'The function answered: {"table":"garden","seats":4}',
    "What is the price of tea?": "The function answered: tea costs 4.20",
    "What is the price of gold?": "The function answered: The tool answered with HTTP 404.\nnot on the menu",
    "Write a ticket: the tea was cold": "The function answered: Ticket 1: the tea was cold",
    "Good-bye!": "Good-bye, and thank you for coming.",
}
OUTCOMES = ["ok", "failed", "ok", "ok", "failed", "ok", "ok"]


@pytest.mark.parametrize("modality", ["text", "audio"])
async def test_every_kind_of_tool_is_called_and_its_result_used(modality: str, repository: Path, prices: str) -> None:
    """A program, a request, a function and an MCP server answer, and so do their failures, in writing and by voice."""
    sets = [f"tools.1.run.url={prices}", "endpoint.delta_interval_ms=0", f'session.output_modalities=["{modality}"]']
    loaded = load_profile(repository / "profiles" / "agent.toml", sets=sets)

    with captured_log() as lines:
        async with open_session(loaded) as session:
            ask = session.ask if modality == "text" else partial(asked_by_voice, session)
            answers = {question: await ask(question) for question in QUESTIONS}

    assert not loaded.warnings
    assert answers == QUESTIONS
    assert [line["outcome"] for line in lines if line["event"] == "tool_called"] == OUTCOMES
