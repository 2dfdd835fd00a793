"""What a service manager hears from a run, on a plain datagram socket."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from websockets.http11 import Response

from runner import redaction
from runner.runs import notify
from tests.helpers.command_process import Command, local, profile
from tests.helpers.peer import Peer, refusal, serving
from tests.helpers.service_manager import WAIT_S, ServiceManager

pytestmark = pytest.mark.anyio

CUSTOM = """
[endpoint]
kind = "custom"
base_url = "http://127.0.0.1:{port}/v1"
[model]
name = "test"
[input]
kind = "none"
[run.reconnect]
max_attempts = 0
"""


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the server here; the command chooses its own."""
    return "asyncio"


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceManager]:
    """A service manager that listens, by both kinds of address."""
    listening = ServiceManager(
        str(tmp_path / "notify") if request.param == "path" else f"@rt-run-{tmp_path.name}-{id(request)}"
    )
    yield listening
    listening.socket.close()


async def test_ready_waits_for_the_configured_session(manager: ServiceManager, tmp_path: Path) -> None:
    """READY=1 follows session.updated, not the connection; STOPPING=1 comes with the time that the end may take."""
    asked, go_on = anyio.Event(), anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.send({"type": "session.created", "event_id": "e1", "session": {"id": "sess_1", "type": "realtime"}})
        update = await peer.until("session.update")
        asked.set()
        await go_on.wait()
        await peer.send({"type": "session.updated", "event_id": "e2", "session": {"id": "sess_1", **update["session"]}})
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        command = Command(
            "--profile",
            profile(tmp_path, CUSTOM.format(port=port)),
            folder=tmp_path,
            environment={"NOTIFY_SOCKET": manager.address},
            stdin=subprocess.DEVNULL,
        )
        await _in_time(asked)
        early = await anyio.to_thread.run_sync(lambda: manager.until("READY=1", within_s=0.5))
        go_on.set()
        ready = await anyio.to_thread.run_sync(manager.until, "READY=1")
        command.process.send_signal(signal.SIGTERM)
        stopping = await anyio.to_thread.run_sync(manager.until, "STOPPING=1")
        ended = await anyio.to_thread.run_sync(command.end)

    assert (early, ready, stopping, ended.code) == (False, True, True, 0)
    assert manager.heard("STATUS=connecting")
    assert manager.heard("STATUS=open, 0 answers")
    assert manager.heard("STATUS=draining: signal")
    assert manager.heard("EXTEND_TIMEOUT_USEC=15000000")
    assert [peer.close_code for peer in peers] == [1000]


async def test_a_session_that_never_opens_is_never_ready(manager: ServiceManager, tmp_path: Path) -> None:
    """A unit that fails to start has not been active for a moment."""
    name = profile(tmp_path, CUSTOM.format(port=9))
    command = Command("--profile", name, folder=tmp_path, environment={"NOTIFY_SOCKET": manager.address})
    ended = await anyio.to_thread.run_sync(command.end)
    manager.until("READY=1", within_s=0.2)

    assert ended.code == 69
    assert manager.heard("STATUS=connecting")
    assert not manager.heard("READY=1")


@pytest.mark.parametrize("manager", ["path"], indirect=True)
async def test_the_status_is_true_and_the_watchdog_is_fed(manager: ServiceManager, tmp_path: Path) -> None:
    """An outage is said while it lasts, with its attempt and its reason; the loop says all the time that it lives."""
    is_away = is_over = False

    async def script(peer: Peer) -> None:
        nonlocal is_away
        await peer.greet()
        if is_over:
            await peer.to_the_end()
            return
        usage = {"input_tokens": 3, "output_tokens": 20_000}
        await peer.until("response.create")
        await peer.answer("Hello", usage=usage)
        if await anyio.to_thread.run_sync(manager.until, "STATUS=open, 1 answer, 0.04 spent"):
            is_away = True
            await peer.close(1011, "out of order")

    def door(_request: object) -> Response | None:
        return refusal(503) if is_away else None

    settings = """
[input]
kind = "stdin"
[run]
until = "signal"
[run.reconnect]
max_attempts = 1000
initial_delay_s = 0.05
max_delay_s = 0.05
[run.limits.prices]
output_text = 2.0
"""
    endpoint = CUSTOM.partition("[input]")[0]
    async with serving(script, door=door) as (port, _):
        command = Command(
            "--profile",
            profile(tmp_path, endpoint.format(port=port) + settings),
            folder=tmp_path,
            environment={"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "400000"},
        )
        command.write("Hi\n")
        outage = await anyio.to_thread.run_sync(manager.until_like, r"STATUS=reconnecting, attempt \d+ of 1000: .*503")
        is_away, is_over = False, True
        back = await anyio.to_thread.run_sync(manager.until_like, r"STATUS=open, 1 answer, 0\.04 spent", True)
        fed = await anyio.to_thread.run_sync(manager.until, "WATCHDOG=1")
        command.process.send_signal(signal.SIGTERM)
        ended = await anyio.to_thread.run_sync(command.end)

    assert (bool(outage), bool(back), fed, ended.code) == (True, True, True, 0)


async def test_many_sessions_are_ready_together(manager: ServiceManager, tmp_path: Path) -> None:
    """READY=1 waits for the last session that can be opened, failures beside it count, and the status counts all."""
    go_on = anyio.Event()
    first = anyio.Event()

    async def script(peer: Peer) -> None:
        if first.is_set():
            await go_on.wait()
        first.set()
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        names = profile(tmp_path, CUSTOM.format(port=port)), profile(tmp_path, CUSTOM.format(port=9), name="away")
        command = Command(
            *("-p", names[0], "-p", names[0], "-p", names[1]),
            folder=tmp_path,
            environment={"NOTIFY_SOCKET": manager.address},
            stdin=subprocess.DEVNULL,
        )
        counted = await anyio.to_thread.run_sync(manager.until, "STATUS=1 of 3 sessions open")
        early = await anyio.to_thread.run_sync(lambda: manager.until("READY=1", within_s=0.5))
        go_on.set()
        ready = await anyio.to_thread.run_sync(manager.until, "READY=1")
        command.process.send_signal(signal.SIGTERM)
        stopping = await anyio.to_thread.run_sync(manager.until, "STOPPING=1")
        ended = await anyio.to_thread.run_sync(command.end)
        manager.until("STATUS=ended: 1 of 3 sessions failed")

    assert (counted, early, ready, stopping, ended.code) == (True, False, True, True, 69)
    assert manager.heard("STATUS=2 of 3 sessions open")
    assert manager.heard("STATUS=draining: 2 of 3 sessions left")
    assert manager.heard("STATUS=ended: 1 of 3 sessions failed")
    assert sum("READY=1" in message for message in manager.messages) == 1
    assert [peer.close_code for peer in peers] == [1000] * 2


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all", "vsock:2:1234", "@" + "x" * 300])
def test_nobody_who_listens_is_no_reason_to_fail(address: str, tmp_path: Path) -> None:
    """A run goes on without a service manager, or with one that has gone."""
    ended = Command("--profile", local(tmp_path), folder=tmp_path, environment={"NOTIFY_SOCKET": address}).end("Hi\n")

    assert (ended.code, ended.stdout) == (0, "You said: Hi\n")


async def _in_time(event: anyio.Event) -> None:
    with anyio.fail_after(WAIT_S):
        await event.wait()


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("session x\nWATCHDOG=trigger\nMAINPID=1 is open", "STATUS=session x WATCHDOG=trigger MAINPID=1 is open"),
        ("x\x1b[2J\u2028y\udc80", "STATUS=x [2J y"),
        ("." * 190 + "made-up-secret-of-a-test", "STATUS=" + "." * 190 + "[hidden]"),
        ("x" * 300_000, "STATUS=" + "x" * 199 + "…"),
    ],
)
def test_a_status_is_one_short_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, line: str) -> None:
    """An endpoint's words in it notify of nothing else, hold no secret, and cannot keep READY=1 from its manager."""
    redaction.hide("made-up-secret-of-a-test")
    listening = ServiceManager(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", listening.address)
    notify.ready(status)
    notify.starting(status, within_s=1)
    notify.stopping(status, within_s=1)
    notify.status(status)
    received = [listening.socket.recv(65536).decode().split("\n") for _ in range(5)]
    listening.socket.close()

    assert received == [
        ["READY=1"],
        [line],
        [line, "EXTEND_TIMEOUT_USEC=1000000"],
        ["STOPPING=1", line, "EXTEND_TIMEOUT_USEC=1000000"],
        [line],
    ]
