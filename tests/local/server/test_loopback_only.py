"""The door of `serve-local`: programs and pages of this machine, and nobody else."""

from typing import Any

import anyio
import pytest

from runner.local.server.app import LocalApp
from runner.local.server.http_server import serve
from runner.local.server.journal_server import PlaybackApp
from runner.local.server.loopback_only import LoopbackOnly
from tests.helpers.local_client import PATIENCE_S, settings
from tests.helpers.log_capture import captured_log

pytestmark = pytest.mark.anyio

REFUSED = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "file://"},
    {"Origin": "https://localhost.evil.example"},
    {"Origin": "http://evil.example:8765"},
    {"Origin": "http://localhost@evil.example"},
    {"Origin": "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb"},
    {"Origin": "http://[::1"},
    {"Origin": "http://192.168.0.7"},
    {"Host": "evil.example"},
    {"Host": "rebound.example:8765"},
    {"Host": "169.254.169.254"},
    {"Host": "localhost.evil.example:8765"},
    {"Host": "0.0.0.0:8765"},
    {"Host": ""},
    {"Host": "evil.example", "Origin": "http://localhost:3000"},
]
ADMITTED = [
    {},
    {"Origin": "http://localhost:3000"},
    {"Origin": "https://app.localhost"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://[::1]:5173"},
    {"Origin": "tauri://localhost"},
    {"Host": "LOCALHOST"},
    {"Host": "127.0.0.2:8765", "Origin": "http://127.0.0.2:8765"},
    {"Host": "[::1]:8765"},
]


@pytest.fixture
def anyio_backend() -> str:
    """One event loop: what differs between the two is tried elsewhere."""
    return "asyncio"


async def status_of(headers: dict[str, str], app: Any = None, *, upgrades: bool = True) -> int:
    """The status of a handshake, or of a plain request, with these headers."""
    fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"} if upgrades else {}
    fields |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} if upgrades else {}
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(serve, LoopbackOnly(app or LocalApp(settings())), "127.0.0.1", 0)
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            lines = [f"{name}: {value}" for name, value in {"Host": f"127.0.0.1:{port}", **headers, **fields}.items()]
            await stream.send("\r\n".join(["GET /v1/realtime?model=m HTTP/1.1", *lines, "", ""]).encode())
            with anyio.fail_after(PATIENCE_S):
                answer = await stream.receive()
        tasks.cancel_scope.cancel()
    return int(answer.split()[1])


@pytest.mark.parametrize("headers", REFUSED, ids=str)
async def test_what_comes_from_elsewhere_is_refused(headers: dict[str, str]) -> None:
    """A page of another site, of no site, and one whose name has been bound to this machine; the log says which."""
    with captured_log() as lines:
        assert await status_of(headers) == 403

    (line,) = [each for each in lines if each["event"] == "stranger_refused"]
    assert line["header"] in headers


@pytest.mark.parametrize("headers", ADMITTED, ids=str)
async def test_what_comes_from_this_machine_is_let_in(headers: dict[str, str]) -> None:
    """A program, which sends no origin, and a page that this machine serves."""
    assert await status_of(headers) == 101


async def test_a_journal_and_plain_requests_have_the_same_door() -> None:
    """Nobody from elsewhere learns that there is anything."""
    evil = {"Origin": "https://evil.example"}

    assert await status_of(evil, PlaybackApp([])) == 403
    assert await status_of(evil, upgrades=False) == 403
    assert await status_of({}, upgrades=False) == 426
