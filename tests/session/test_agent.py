"""The agent that is checked in: tools of every kind in one conversation, none of it simulated but the model."""

import sys
import threading
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path

import pytest

from runner import load_profile, open_session
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


async def test_every_kind_of_tool_is_called_and_its_result_used(repository: Path, prices: str) -> None:
    """A program, a request, a function and an MCP server answer, and so do their failures."""
    sets = [f"tools.1.run.url={prices}", "endpoint.delta_interval_ms=0"]
    loaded = load_profile(repository / "profiles" / "agent.toml", sets=sets)

    with captured_log() as lines:
        async with open_session(loaded) as session:
            answers = [
                await session.ask(question)
                for question in (
                    "Where is order 17?",
                    "And order 99?",
                    "A table for 4, please.",
                    "What is the price of tea?",
                    "What is the price of gold?",
                    "Write a ticket: the tea was cold",
                    "Good-bye!",
                )
            ]

    assert not loaded.warnings
    assert answers == [
        "The function answered: Order 17 is shipped on Monday.",
        "The function answered: The tool failed with exit code 1.\nThere is no order 99.",
        'The function answered: {"table":"garden","seats":4}',
        "The function answered: tea costs 4.20",
        "The function answered: The tool answered with HTTP 404.\nnot on the menu",
        "The function answered: Ticket 1: the tea was cold",
        "Good-bye, and thank you for coming.",
    ]
    outcomes = [line["outcome"] for line in lines if line["event"] == "tool_called"]
    assert outcomes == ["ok", "failed", "ok", "ok", "failed", "ok", "ok"]
