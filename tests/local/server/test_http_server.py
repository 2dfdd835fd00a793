"""The server keeps to HTTP and WebSocket, and to its limits."""

import contextlib
import json
import os
import resource
import socket as sockets
import ssl
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from runner.local.server import faulty_stream, server_websocket
from runner.local.server.app import LocalApp
from runner.local.server.http_server import serve
from tests.helpers.local_client import (
    PATIENCE_S,
    dial,
    heard,
    heard_until,
    in_thread,
    listening,
    settings,
    told,
    user_message,
)
from tests.helpers.log_capture import captured_log
from tests.helpers.transport_peers import make_pki

pytestmark = pytest.mark.anyio

UPGRADE = (
    b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def exchange(port: int, data: bytes) -> bytes:
    """Send bytes, and read to the end."""
    with sockets.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.sendall(data)
        connection.shutdown(sockets.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/realtime", 426, "upgrade_required"),
        ("GET", "/v1/models", 404, "unknown_url"),
        ("POST", "/v1/chat/completions", 404, "unknown_url"),
    ],
)
async def test_plain_http_gets_json(method: str, path: str, status: int, code: str) -> None:
    """Plain requests are answered by OpenAI's error JSON."""
    async with listening() as port, httpx.AsyncClient(trust_env=False) as client:
        content = b"x" * 300_000 if method == "POST" else None
        response = await client.request(method, f"http://127.0.0.1:{port}{path}", content=content)

    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert response.headers["content-type"] == "application/json"


async def test_head_has_no_body() -> None:
    """A HEAD request gets the header only."""
    async with listening() as port:
        answer = await in_thread(lambda: exchange(port, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"))

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"431"),
        (UPGRADE.replace(b"Version: 13", b"Version: 8"), b"426"),
        (UPGRADE.replace(b"Sec-WebSocket-Key", b"X-Key"), b"400"),
        (UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b""), b"400"),
        (b"", b""),
    ],
)
async def test_malformed_requests_are_refused(request_bytes: bytes, status: bytes) -> None:
    """What is no proper request is refused, and the server goes on."""
    async with listening() as port:
        answer = await in_thread(lambda: exchange(port, request_bytes))
        again = await in_thread(lambda: exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))

    assert answer[9:12] == status
    assert again[9:12] == b"404"


async def test_running_out_of_files_ends_nothing() -> None:
    """Who comes while none is free waits until one is, and the log says so once."""
    files: list[int] = []

    def use_up() -> None:
        with contextlib.suppress(OSError):
            while True:
                files.append(os.dup(0))

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with listening() as port:
        with captured_log() as lines:
            client = sockets.socket()
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
            try:
                use_up()
                client.connect(("127.0.0.1", port))
                while not lines:  # noqa: ASYNC110  # the log has no event to offer
                    await anyio.sleep(0.01)
                await anyio.sleep(0.5)
            finally:
                for each in files:
                    os.close(each)
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        client.close()
        answer = await in_thread(lambda: exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))

    assert answer[9:12] == b"404"
    assert [each["event"] for each in lines] == ["connections_exhausted"]


async def test_tls_serves_the_same(tmp_path: Path) -> None:
    """Requests, refusals and sessions; what speaks no TLS is hung up on, and the server goes on."""
    pki = make_pki(tmp_path)
    trust = ssl.create_default_context(cafile=pki.authority)
    async with anyio.create_task_group() as tasks:
        port = await tasks.start(partial(serve, LocalApp(settings()), "127.0.0.1", 0, tls=pki.server))

        def session() -> str:
            with connect(f"wss://localhost:{port}/v1/realtime?model=m", ssl=trust) as socket:
                return str(heard(socket)["type"])

        def plain() -> int:
            with httpx.Client(verify=trust, trust_env=False) as client:
                return client.get(f"https://localhost:{port}/v1/realtime").status_code

        answer = await in_thread(lambda: exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        assert not answer.startswith(b"HTTP")
        assert await in_thread(session) == "session.created"
        assert await in_thread(plain) == 426
        tasks.cancel_scope.cancel()


async def test_pings_are_answered_and_closes_returned() -> None:
    """A ping gets its pong, and the client's close is answered in kind."""
    async with listening() as port:

        def script() -> tuple[bool, Any]:
            with dial(port) as socket:
                heard(socket)
                answered = socket.ping().wait(PATIENCE_S)
                socket.close(1000, "done")
                return answered, socket.protocol.close_rcvd

        answered, close = await in_thread(script)

    assert answered
    assert close.code == 1000


async def test_fragments_are_joined() -> None:
    """A message may come in fragments, with a ping among them."""
    async with listening() as port:

        def script() -> str:
            with dial(port) as socket:
                heard(socket)
                text = json.dumps({"type": "session.update", "session": {"type": "realtime", "instructions": "é" * 99}})
                socket.send(text[start : start + 7] for start in range(0, len(text), 7))
                return str(heard(socket)["session"]["instructions"])

        assert await in_thread(script) == "é" * 99


async def test_too_large_a_message_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message over the limit ends the connection with 1009."""
    monkeypatch.setattr(server_websocket, "MAX_MESSAGE_BYTES", 100_000)
    async with listening() as port:

        def script() -> Any:
            with dial(port) as socket:
                heard(socket)
                socket.send("x" * 200_000)
                with pytest.raises(ConnectionClosed) as caught:
                    socket.recv(timeout=PATIENCE_S)
                return caught.value.rcvd

        close = await in_thread(script)

    assert close.code == 1009


@pytest.mark.parametrize(
    ("frame", "code"), [(b"\x81\x01a", 1002), (b"\xff\x80\0\0\0\0", 1002), (b"\x81\x81\0\0\0\0\xff", 1007)]
)
async def test_broken_frames_end_the_connection(frame: bytes, code: int) -> None:
    """Frames that break the protocol are answered by its close codes."""
    async with listening() as port:
        answer = await in_thread(lambda: exchange(port, UPGRADE + frame))

    assert answer.startswith(b"HTTP/1.1 101 ")
    assert code.to_bytes(2, "big") in answer[-130:]


async def test_a_client_that_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that stops reading loses its connection; the server waits on it, and holds nothing for it."""
    monkeypatch.setattr(faulty_stream, "_WRITE_TIMEOUT_S", 0.3)
    app = LocalApp(settings(delta_interval_ms=0))
    async with listening(app) as port:

        def script() -> bool:
            with sockets.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
                connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
                connection.sendall(UPGRADE)
                frame = json.dumps(
                    {"type": "session.update", "session": {"type": "realtime", "instructions": "x" * 60_000}}
                )
                head = b"\x81\xfe" + len(frame).to_bytes(2, "big") + bytes(4)
                try:
                    for _ in range(2000):
                        connection.sendall(head + frame.encode())
                except OSError:
                    return True
                return False

        assert await in_thread(script)
        assert b" 404 " in await in_thread(lambda: exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))


async def test_shutdown_says_goodbye() -> None:
    """Cancelling the server closes open sessions with 1001, even in mid-answer."""
    ready = anyio.Event()
    closes: list[Any] = []

    async with anyio.create_task_group() as outer, listening() as port:

        def script() -> None:
            with dial(port) as socket:
                heard(socket)
                told(socket, "conversation.item.create", item=user_message("word " * 2000))
                told(socket, "response.create", response={"output_modalities": ["text"]})
                heard_until(socket, "response.output_text.delta")
                anyio.from_thread.run_sync(ready.set)
                with pytest.raises(ConnectionClosed) as caught:
                    heard_until(socket, "never")
                closes.append(caught.value.rcvd)

        outer.start_soon(in_thread, script)
        await ready.wait()

    assert closes[0].code == 1001
    assert closes[0].reason == "The server is shutting down."


async def test_a_vanished_client_ends_quietly() -> None:
    """A client that drops its socket in mid-answer leaves nothing behind."""
    async with listening() as port:

        def script() -> None:
            with dial(port) as socket:
                heard(socket)
                told(socket, "conversation.item.create", item=user_message("word " * 2000))
                told(socket, "response.create")
                heard_until(socket, "response.output_audio.delta")
                socket.socket.shutdown(sockets.SHUT_RDWR)

        await in_thread(script)
        assert b" 404 " in await in_thread(lambda: exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))


async def test_a_failing_application_is_reported_as_1011() -> None:
    """An application that fails closes its own connection and no other."""

    async def failing(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        raise RuntimeError

    async with listening(failing) as port:

        def script() -> Any:
            with dial(port) as socket:
                with pytest.raises(ConnectionClosed) as caught:
                    socket.recv(timeout=PATIENCE_S)
                return caught.value.rcvd

        assert (await in_thread(script)).code == 1011
        assert (await in_thread(script)).code == 1011
