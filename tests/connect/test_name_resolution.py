"""Names are resolved in threads that nobody waits for."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from runner.connect.handshake import Address, open_websocket
from runner.connect.name_resolution import resolved
from runner.errors import EndpointUnreachable
from runner.settings.endpoint import Network

LOOPS = [{"use_uvloop": False}, {"use_uvloop": True}]


def resolving() -> list[threading.Thread]:
    """The threads that wait for a name server."""
    return [each for each in threading.enumerate() if each.name == "resolving gone.example"]


class SilentNameServer:
    """Leaves every question open until the test ends.

    Attributes:
        asked: The names that were asked for.
        answer: Set to give up on all of them.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = threading.Event()

    def give_up(self) -> None:
        """Answer all questions, and wait for the threads that have asked them."""
        self.answer.set()
        for thread in resolving():
            thread.join()

    def getaddrinfo(self, host: str, *_arguments: Any, **_options: Any) -> list[Any]:
        """Wait, as the system's resolver does."""
        self.asked.append(host)
        self.answer.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "nobody answered")


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentNameServer]:
    """A name server that answers nothing."""
    server = SilentNameServer()
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", server.getaddrinfo)
        yield server
        server.give_up()


@pytest.mark.parametrize("options", LOOPS)
def test_a_silent_name_server_holds_neither_the_attempt_nor_the_loop(
    options: dict[str, Any], silent: SilentNameServer
) -> None:
    """The attempt ends in its time, and the loop is closed while the question is still open."""

    async def attempt() -> None:
        with pytest.raises(EndpointUnreachable, match=r"within 0\.05 s"):
            async with open_websocket(Address("https://gone.example/", {}), Network(connect_timeout_s=0.05)):
                pass

    anyio.run(attempt, backend_options=options)

    assert silent.asked.count("gone.example") == 1  # a thread of another test may ask, too
    assert not silent.answer.is_set()
    assert [each.daemon for each in resolving()] == [True]


@pytest.mark.parametrize("options", LOOPS)
def test_one_silent_question_does_not_hold_others(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are open: each has a thread of its own."""
    server, real = SilentNameServer(), socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: Any, **named: Any) -> Any:
        return (server.getaddrinfo if host == "gone.example" else real)(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    async def ask() -> list[Any]:
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(resolved, "gone.example", 1)
            found = await resolved("localhost", 1)
            tasks.cancel_scope.cancel()
        return found

    found = anyio.run(ask, backend_options=options)
    server.give_up()

    assert {info[4][0] for info in found} <= {"127.0.0.1", "::1"}


def test_an_answer_that_comes_after_the_loop_is_nobodys(silent: SilentNameServer) -> None:
    """The thread ends without a trace."""
    failures: list[Any] = []
    before, threading.excepthook = threading.excepthook, failures.append
    try:
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(resolved("gone.example", 1), 0.02))
        assert len(resolving()) == 1
        silent.give_up()
    finally:
        threading.excepthook = before

    assert failures == []
