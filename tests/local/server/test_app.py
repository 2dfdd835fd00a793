"""The application serves real clients, under rt-run's own server and under others."""

import base64
import json
import socket as sockets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import hypercorn.asyncio
import hypercorn.config
import hypercorn.trio
import pytest
import uvicorn
from openai import AsyncOpenAI, OpenAI
from websockets.exceptions import ConnectionClosed, InvalidStatus

from runner.local.server.app import LocalApp
from tests.helpers.local_client import (
    PATIENCE_S,
    checked,
    dial,
    heard,
    heard_until,
    in_thread,
    listening,
    settings,
    told,
    user_message,
)

pytestmark = pytest.mark.anyio
FROM_OPENAI = pytest.mark.filterwarnings(
    r"ignore:connect\(\) must be used as a context manager"  # openai-python's blocking client does not, yet
)


def one_turn(port: int) -> str:
    """A text turn with openai-python's blocking client; returns the answer."""
    with OpenAI(api_key="none", base_url=f"http://127.0.0.1:{port}/v1") as client:  # noqa: SIM117  # the inner block belongs to the client
        with client.realtime.connect(model="gpt-realtime-2") as connection:
            connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
            connection.conversation.item.create(
                item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
            )
            connection.response.create()
            answer = ""
            for event in connection:
                checked(event.model_dump(mode="json", exclude_unset=True))
                if event.type == "response.output_text.done":
                    answer = event.text
                if event.type == "rate_limits.updated":
                    break  # not before: closing with a full queue keeps websockets waiting for ten seconds
    return answer


@FROM_OPENAI
async def test_openai_client_has_a_text_turn() -> None:
    """openai-python's client talks to the endpoint as it does to OpenAI."""
    async with listening() as port:
        assert await in_thread(lambda: one_turn(port)) == "You said: Hello"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_openai_async_client_cancels_and_hears_audio(anyio_backend: str) -> None:
    """The asynchronous client gets audio, an error with its own event id, and a cancelled response."""
    async with listening(LocalApp(settings(delta_interval_ms=5))) as port:
        client = AsyncOpenAI(api_key="none", websocket_base_url=f"ws://127.0.0.1:{port}/v1")
        async with client, client.realtime.connect(model="gpt-realtime-2") as connection:
            await connection.send({"type": "conversation.item.create", "item": user_message("word " * 200)})
            await connection.response.create()
            seen: list[str] = []
            async for event in connection:
                checked(event.model_dump(mode="json", exclude_unset=True))
                seen.append(event.type)
                if event.type == "response.output_audio.delta" and seen.count(event.type) == 2:
                    assert base64.b64decode(event.delta)
                    await connection.response.create(event_id="too_soon")
                    await connection.response.cancel()
                if event.type == "error":
                    assert event.error.event_id == "too_soon"
                    assert event.error.code == "conversation_already_has_active_response"
                if event.type == "response.done":
                    assert event.response.status == "cancelled"
                    break

    assert "error" in seen


async def test_pieces_come_one_by_one() -> None:
    """Deltas are paced, so that a cancel arrives in mid-stream."""

    def script(port: int) -> dict[str, Any]:
        with dial(port) as socket:
            heard(socket)
            told(socket, "conversation.item.create", item=user_message("word " * 500))
            told(socket, "response.create", response={"output_modalities": ["text"]})
            heard_until(socket, "response.output_text.delta")
            told(socket, "response.cancel")
            response: dict[str, Any] = heard_until(socket, "response.done")[-1]["response"]
            return response

    async with listening() as port:
        response = await in_thread(lambda: script(port))

    assert response["status"] == "cancelled"


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/v1/realtime?model=m", "realtime"),
        ("/realtime?model=m", "realtime"),
        ("/openai/v1/realtime?model=m", "realtime"),
        ("/any/prefix/realtime?call_id=rtc_1", "realtime"),
        ("/v1/realtime?intent=transcription", "transcription"),
    ],
)
async def test_addresses(target: str, kind: str) -> None:
    """The paths of OpenAI, Azure and gateways lead to a session of the right kind."""
    async with listening() as port:

        def script() -> Any:
            with dial(port, target) as socket:
                return heard(socket)["session"]["type"]

        assert await in_thread(script) == kind


@pytest.mark.parametrize(
    ("target", "model", "accepted"),
    [
        ("/openai/v1/realtime?model=my-deployment", "gpt-realtime-2.1", True),
        ("/openai/realtime?api-version=2025-04-01-preview&deployment=my-deployment", "gpt-realtime-2.1", True),
        ("/openai/v1/realtime?model=my-deployment", "my-deployment", True),
        ("/v1/realtime?deployment=my-deployment", "my-deployment", True),
        ("/v1/realtime?model=my-deployment", "gpt-realtime-2.1", False),
    ],
)
async def test_azures_addresses_name_a_deployment(target: str, model: str, accepted: bool) -> None:
    """What the URL names is no model there, so a client may say which model it expects."""
    async with listening() as port:

        def script() -> tuple[str, Any]:
            with dial(port, target) as socket:
                named = heard(socket)["session"]["model"]
                told(socket, "session.update", session={"type": "realtime", "model": model})
                return named, heard(socket)

        named, answer = await in_thread(script)

    assert named == "my-deployment"
    if accepted:
        assert answer["session"]["model"] == model
    else:
        assert answer["error"]["param"] == "session.model"


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [("/v1/realtime", 400, "missing_model"), ("/v1/chat?model=m", 404, "unknown_url"), ("/", 404, "unknown_url")],
)
async def test_refused_handshakes_have_the_apis_body(target: str, status: int, code: str) -> None:
    """A refused handshake has a status and OpenAI's error JSON."""
    async with listening() as port:

        def script() -> Any:
            with pytest.raises(InvalidStatus) as caught:
                dial(port, target)
            return caught.value.response

        response = await in_thread(script)

    assert response.status_code == status
    assert json.loads(response.body)["error"]["code"] == code


async def test_beta_header_is_refused_as_openai_does() -> None:
    """A client of the beta shape gets one error and close 4000."""
    async with listening() as port:

        def script() -> tuple[Any, Any]:
            with dial(port, additional_headers={"OpenAI-Beta": "realtime=v1"}) as socket:
                error = heard(socket)["error"]
                with pytest.raises(ConnectionClosed) as caught:
                    socket.recv(timeout=PATIENCE_S)
                return error, caught.value.rcvd

        error, close = await in_thread(script)

    assert error["code"] == "beta_api_shape_disabled"
    assert close.code == 4000


async def test_session_ends_at_its_limit() -> None:
    """At the limit comes `session_expired`, then close 1001 with the duration."""
    async with listening(LocalApp(settings(session_limit_s=0.3))) as port:

        def script() -> tuple[Any, Any]:
            with dial(port) as socket:
                error = heard_until(socket, "error")[-1]["error"]
                with pytest.raises(ConnectionClosed) as caught:
                    socket.recv(timeout=PATIENCE_S)
                return error, caught.value.rcvd

        error, close = await in_thread(script)

    assert error["code"] == "session_expired"
    assert close.code == 1001
    assert close.reason == "Your session hit the maximum duration of 0.005 minutes."


async def test_binary_frames_are_refused() -> None:
    """A binary frame is answered by an error, and the session goes on."""
    async with listening() as port:

        def script() -> str:
            with dial(port) as socket:
                heard(socket)
                socket.send(b"\x00\x01")
                assert heard(socket)["error"]["code"] == "invalid_message"
                told(socket, "session.update", session={"type": "realtime"})
                return str(heard(socket)["type"])

        assert await in_thread(script) == "session.updated"


@asynccontextmanager
async def uvicorn_port(anyio_backend: str) -> AsyncIterator[int]:
    """The application under uvicorn."""
    if anyio_backend != "asyncio":
        pytest.skip("uvicorn runs on asyncio only")
    server = uvicorn.Server(uvicorn.Config(LocalApp(settings()), ws="wsproto", lifespan="on", log_level="error"))
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
                await anyio.sleep(0.01)
            yield listener.getsockname()[1]
            server.should_exit = True


@asynccontextmanager
async def hypercorn_port(anyio_backend: str) -> AsyncIterator[int]:
    """The application under hypercorn."""
    over = anyio.Event()
    with sockets.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    config = hypercorn.config.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.errorlog = None
    serve: Callable[..., Any] = hypercorn.asyncio.serve if anyio_backend == "asyncio" else hypercorn.trio.serve
    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            await serve(LocalApp(settings()), config, shutdown_trigger=over.wait)

        tasks.start_soon(run)
        for _ in range(200):
            try:
                async with await anyio.connect_tcp("127.0.0.1", port):
                    break
            except OSError:
                await anyio.sleep(0.01)
        yield port
        over.set()


@FROM_OPENAI
@pytest.mark.parametrize("hosted", [uvicorn_port, hypercorn_port])
async def test_other_servers_can_host_it(hosted: Callable[[str], Any], anyio_backend: str) -> None:
    """The application is plain ASGI: uvicorn and hypercorn serve it too, refusals included."""
    async with hosted(anyio_backend) as port:
        assert await in_thread(lambda: one_turn(port)) == "You said: Hello"

        def refused() -> int:
            with pytest.raises(InvalidStatus) as caught:
                dial(port, "/v1/realtime")
            return int(caught.value.response.status_code)

        assert await in_thread(refused) == 400


async def test_without_the_extension_a_refusal_is_a_close() -> None:
    """Where the server cannot answer a handshake by a response, it is closed."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/v1/realtime",
        "query_string": b"",
        "headers": [],
        "extensions": None,
    }
    await LocalApp(settings())(scope, receive, send)

    assert [message["type"] for message in sent] == ["websocket.close"]
