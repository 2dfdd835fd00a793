"""The endpoint in the runner's own process behaves as one behind a socket."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import httpcore
import httpx
import httpx_ws
import pytest

from runner.local.server.app import LocalApp
from runner.local.server.inprocess import InProcessBackend, memory_pipe
from tests.helpers.local_client import PATIENCE_S, checked, settings, user_message

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that reaches nothing but the local endpoint."""
    async with anyio.create_task_group() as tasks:
        transport = httpx.AsyncHTTPTransport()
        transport._pool = httpcore.AsyncConnectionPool(network_backend=InProcessBackend(LocalApp(settings()), tasks))
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as http:
            yield http


async def test_http_in_process() -> None:
    """A plain request is answered without a socket."""
    async with client() as http:
        response = await http.get("/v1/realtime")

    assert response.status_code == 426
    assert response.json()["error"]["code"] == "upgrade_required"


async def test_a_turn_in_process() -> None:
    """httpx-ws has a whole turn over memory."""
    answer = ""
    event: dict[str, Any] = {"type": ""}
    connecting: AbstractAsyncContextManager[httpx_ws.AsyncWebSocketSession]
    async with client() as http:
        connecting = httpx_ws.aconnect_ws("http://local/v1/realtime?model=m", http)
        async with connecting as socket:
            await socket.send_json({"type": "conversation.item.create", "item": user_message("Hello " * 3000)})
            await socket.send_json({"type": "response.create", "response": {"max_output_tokens": 40}})
            while event["type"] != "response.done":
                event = checked(json.loads(await socket.receive_text()))
                answer += event.get("delta", "") if "transcript" in event["type"] else ""

    assert answer.startswith("You said: Hello Hello")
    assert event["response"]["status"] == "incomplete"


async def test_closing_the_client_ends_the_servers_task() -> None:
    """The task group is empty once the client's end is closed."""
    async with anyio.create_task_group() as tasks:
        stream = await InProcessBackend(LocalApp(settings()), tasks).connect_tcp("local", 80)
        await stream.write(b"GET / HTTP/1.1\r\n")
        await stream.aclose()

    with pytest.raises(httpcore.ReadError):
        await stream.read(1)
    with pytest.raises(httpcore.WriteError):
        await stream.write(b"x")


async def test_cancelling_ends_the_servers_task() -> None:
    """Cancelling the task group ends an open session within a moment."""
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            backend = InProcessBackend(LocalApp(settings()), tasks)
            stream = await backend.connect_tcp("local", 80)
            await stream.write(
                b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            received = b""
            while b"session.created" not in received:
                received += await stream.read(65536)
            tasks.cancel_scope.cancel()

    rest = b""
    while chunk := await stream.read(65536):
        rest += chunk
    assert b"The server is shutting down." in rest
    await stream.aclose()


async def test_timeouts_are_httpcores() -> None:
    """Reading nothing and writing to a full pipe time out with httpcore's errors."""
    async with anyio.create_task_group() as tasks:

        async def idle(_scope: Any, _receive: Any, _send: Any) -> None:
            await anyio.sleep_forever()

        stream = await InProcessBackend(idle, tasks).connect_tcp("local", 80)
        with pytest.raises(httpcore.ReadTimeout):
            await stream.read(1, timeout=0.01)
        await stream.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(httpcore.WriteTimeout):
            await stream.write(bytes(10_000_000), timeout=0.05)
        tasks.cancel_scope.cancel()
    await stream.aclose()


async def test_what_it_cannot_do_is_refused() -> None:
    """TLS and UNIX sockets end in httpcore's connect error."""
    async with anyio.create_task_group() as tasks:
        backend = InProcessBackend(LocalApp(settings()), tasks)
        stream = await backend.connect_tcp("local", 80)
        with pytest.raises(httpcore.ConnectError):
            await stream.start_tls(None)  # type: ignore[arg-type]  # it is refused whatever it is
        with pytest.raises(httpcore.ConnectError):
            await backend.connect_unix_socket("/nowhere")
        assert stream.get_extra_info("ssl_object") is None
        await backend.sleep(0)
        await stream.aclose()


async def test_reading_keeps_what_does_not_fit() -> None:
    """A short read leaves the rest for the next one."""
    near, far = memory_pipe()
    await near.send(b"abcdef")
    await near.send_eof()

    assert await far.receive(4) == b"abcd"
    assert await far.receive(4) == b"ef"
    with pytest.raises(anyio.EndOfStream):
        await far.receive(4)
    await near.aclose()
    await far.aclose()
