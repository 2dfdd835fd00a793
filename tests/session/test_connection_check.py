"""The way to an endpoint, step by step, on real loopback servers that are each broken in a way of their own."""

import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager
from typing import Any

import anyio
import anyio.abc
import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from runner.errors import RunnerError
from runner.session.connection_check import CheckedStep, check_connection, failed_step
from runner.settings.profile import Profile
from tests.helpers.log_capture import log_restored
from tests.helpers.peer import Peer, profile_for, refusal, serving
from tests.helpers.transport_peers import Pki, Proxy, answering, listening, make_pki

pytestmark = pytest.mark.anyio

SHORT_S = 2.0
"""The time limit where nothing ever comes; it passes for all of these endpoints at once."""
KEY = {"kind": "api-key", "api_key": {"env": "CHECKED_KEY"}}


@pytest.fixture
def anyio_backend() -> str:
    """The command is asyncio."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with a key and without proxies."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("CHECKED_KEY", "made-up-key-of-a-test")
    with log_restored():
        yield


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates for localhost."""
    return make_pki(tmp_path_factory.mktemp("pki"))


def to(url: str, *, auth: dict[str, Any] | None = None, drift: str = "warn", **endpoint: Any) -> Profile:
    """A profile for this address."""
    table = {"kind": "custom", "base_url": url, **endpoint}
    session = {"type": "realtime", "audio": {"output": {"voice": "marin"}}}
    profile = {"endpoint": table, "auth": auth or {"kind": "none"}, "session": session, "run": {"on_drift": drift}}
    return Profile.model_validate({"version": 1, "model": {"name": "gpt-test"}, **profile})


def states(checked: list[CheckedStep]) -> dict[str, str]:
    """The state of each step that was tried."""
    return {each.name: each.state for each in checked if each.state != "skipped"}


def models(*names: str) -> Response:
    """The answer to a question for the list of models."""
    body = json.dumps({"object": "list", "data": [{"id": name} for name in names]}).encode()
    return Response(200, "OK", Headers({"Content-Length": str(len(body))}), body)


@asynccontextmanager
async def endpoint(
    script: Callable[[Peer], Awaitable[None]], tls: ssl.SSLContext
) -> AsyncIterator[tuple[int, list[Peer]]]:
    """An endpoint behind TLS, with its list of models."""
    peers: list[Peer] = []

    def door(request: Request) -> Response | None:
        return models("gpt-other", "gpt-test") if request.path == "/v1/models" else None

    async def handle(stream: anyio.abc.ByteStream) -> None:
        peer = Peer(stream)  # type: ignore[arg-type]  # it only sends and receives
        if await peer.accept(door):
            peers.append(peer)
            await script(peer)

    async with listening(handle, tls) as port:
        yield port, peers


async def greet(peer: Peer) -> None:
    """Configure a session, and see it closed."""
    await peer.greet()
    await peer.to_the_end()


async def test_every_step_of_a_good_way_has_passed(pki: Pki) -> None:
    """Through a proxy and TLS, with a key: nothing but the configuration is sent, and the session is closed."""
    async with endpoint(greet, pki.server) as (port, peers):
        proxy = Proxy(port)
        async with listening(proxy.connect) as proxy_port:
            address = f"http://127.0.0.1:{proxy_port}"
            url = f"https://localhost:{port}/v1"
            checked = await check_connection(to(url, auth=KEY, ca_file=str(pki.authority), proxy=address))

    assert [each.name for each in checked if each.state == "passed"] == [
        *("dns", "tcp", "proxy", "tls", "credential", "handshake"),
        *("session.created", "session.updated", "drift", "close", "models"),
    ]
    seen = {each.name: each.seen for each in checked}
    assert seen["dns"] == "127.0.0.1 is 127.0.0.1"
    assert seen["tls"].startswith("TLSv1.3, certificate valid until ")
    assert seen["session.created"] == "sess_test test"
    assert seen["models"] == "gpt-test is one of 2 for this key"
    assert [peer.close_code for peer in peers] == [1000]
    assert [each["type"] for each in peers[0].received] == ["session.update"]


@contextmanager
def blackhole() -> Iterator[int]:
    """A port whose queue of connections is full, so that no packet is answered."""
    with closing(socket.socket()) as server, ExitStack() as stack:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            client = stack.enter_context(closing(socket.socket()))
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@asynccontextmanager
async def broken_endpoints(pki: Pki) -> AsyncIterator[dict[str, Profile]]:
    """Twelve ways not to get a session."""

    async def plain_http(stream: anyio.abc.ByteStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async def leave(peer: Peer) -> None:
        await peer.close(1011, "out of order")

    async def say_nothing(peer: Peer) -> None:
        await peer.to_the_end()

    async def refuse(peer: Peer) -> None:
        await peer.send({"type": "session.created", "event_id": "e1", "session": {"id": "sess_1", "type": "realtime"}})
        update = await peer.until("session.update")
        error = {"type": "invalid_request_error", "message": "no such voice", "event_id": update["event_id"]}
        await peer.send({"type": "error", "event_id": "e2", "error": error})
        await peer.to_the_end()

    async def drift(peer: Peer) -> None:
        session = {"id": "sess_1", "type": "realtime"}
        await peer.send({"type": "session.created", "event_id": "e1", "session": session})
        await peer.until("session.update")
        session["audio"] = {"output": {"voice": "alloy"}}  # type: ignore[assignment]  # an object of the API
        await peer.send({"type": "session.updated", "event_id": "e2", "session": session})
        await peer.to_the_end()

    def lost(request: Request) -> Response:
        return models("gpt-tests") if request.path == "/v1/models" else refusal(404, "model_not_found")

    async with AsyncExitStack() as stack:

        async def at(script: Callable[[Peer], Awaitable[None]], door: Any = None) -> str:
            port, _ = await stack.enter_async_context(serving(script, door=door))
            return f"http://127.0.0.1:{port}/v1"

        hole = stack.enter_context(blackhole())
        secure = await stack.enter_async_context(listening(answering(b""), pki.server))
        plain = await stack.enter_async_context(listening(plain_http))
        guarded = await stack.enter_async_context(listening(answering(b"HTTP/1.1 403 Forbidden\r\n\r\n")))
        with closing(socket.socket()) as unused:
            unused.bind(("127.0.0.1", 0))
            closed = unused.getsockname()[1]
        yield {
            "no DNS": to("https://no-such-host.invalid/v1"),
            "refused": to(f"https://127.0.0.1:{closed}/v1"),
            "blackholed": to(f"http://127.0.0.1:{hole}/v1", connect_timeout_s=SHORT_S),
            "wrong CA": to(f"https://127.0.0.1:{secure}/v1"),
            "plain HTTP": to(f"https://127.0.0.1:{plain}/v1"),
            "proxy refuses": to("https://example.com/v1", proxy=f"http://127.0.0.1:{guarded}"),
            "401": to(await at(say_nothing, lambda _request: refusal(401, "invalid_api_key")), auth=KEY),
            "404": to(await at(say_nothing, lost)),
            "101 then close": to(await at(leave)),
            "no session.created": to(await at(say_nothing), connect_timeout_s=SHORT_S),
            "refused configuration": to(await at(refuse)),
            "drift": to(await at(drift), drift="fail"),
        }


async def test_each_broken_endpoint_names_its_step_within_its_time_limit(pki: Pki) -> None:
    """The step that fails is the first that did not pass, with what was seen there and the exit code of a run."""
    checked: dict[str, list[CheckedStep]] = {}

    async def check(name: str, profile: Profile) -> None:
        checked[name] = await check_connection(profile)

    async with broken_endpoints(pki) as profiles, anyio.create_task_group() as tasks:
        for name, profile in profiles.items():
            tasks.start_soon(check, name, profile)

    failed = {name: failed_step(steps) for name, steps in checked.items()}
    assert {name: step and (step.name, step.error and step.error.exit_code) for name, step in failed.items()} == {
        "no DNS": ("dns", 69),
        "refused": ("tcp", 69),
        "blackholed": ("tcp", 69),
        "wrong CA": ("tls", 69),
        "plain HTTP": ("tls", 69),
        "proxy refuses": ("proxy", 69),
        "401": ("credential", 77),
        "404": ("handshake", 78),
        "101 then close": ("session.created", 75),
        "no session.created": ("session.created", 69),
        "refused configuration": ("session.updated", 78),
        "drift": ("drift", 78),
    }
    told = {name: step.error.message for name, step in failed.items() if step and isinstance(step.error, RunnerError)}
    assert told["blackholed"].endswith("within 2 s")
    assert "certificate verify failed" in told["wrong CA"]
    assert told["proxy refuses"].endswith("the proxy answered 403")
    assert told["drift"].endswith("audio.output.voice")
    assert told["no session.created"] == "the endpoint sent no `session.created` within 2 s"
    assert states(checked["404"]) == {
        "dns": "passed",
        "tcp": "passed",
        "credential": "passed",
        "handshake": "failed",
        "models": "warned",
    }
    assert checked["404"][-1].seen == "gpt-test is none of 1 for this key; did you mean gpt-tests?"
    assert states(checked["401"]) == {"dns": "passed", "tcp": "passed", "credential": "failed"}
    assert checked["drift"][-2].state == "passed", "a session that drifts is closed as any other"


async def test_a_sideband_and_a_secret_that_is_missing_stop_before_the_handshake(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sideband would join its call; without a credential the network is looked at all the same."""
    monkeypatch.delenv("CHECKED_KEY")
    heard: list[bytes] = []

    async def listen(stream: anyio.abc.ByteStream) -> None:
        heard.append(await stream.receive())

    async with listening(listen, pki.server) as port:
        url, trust = f"https://localhost:{port}/v1", str(pki.authority)
        sideband = await check_connection(to(url, ca_file=trust, call_id="rtc_1"))
        keyless = await check_connection(to(url, ca_file=trust, auth=KEY))

    assert states(sideband) == dict.fromkeys(("dns", "tcp", "tls", "credential"), "passed")
    assert {each.name: each.seen for each in sideband}["handshake"].startswith("not tried, since a sideband")
    assert states(keyless) == {**dict.fromkeys(("dns", "tcp", "tls"), "passed"), "credential": "failed"}
    step = failed_step(keyless)
    assert step
    assert step.error
    assert step.error.exit_code == 78
    assert heard == []


async def test_drift_is_a_warning_where_a_run_only_warns_of_it() -> None:
    """So is an endpoint that does not answer the closing handshake; both end well."""

    async def script(peer: Peer) -> None:
        await peer.send({"type": "session.created", "event_id": "e1", "session": {"id": "sess_1", "type": "realtime"}})
        await peer.until("session.update")
        session = {"type": "realtime", "audio": {"output": {"voice": "alloy"}}}
        await peer.send({"type": "session.updated", "event_id": "e2", "session": session})
        await peer.stream.aclose()

    tables = {"session": {"type": "realtime", "audio": {"output": {"voice": "marin"}}}}
    async with serving(script) as (port, _):
        checked = await check_connection(profile_for(port, **tables))

    warned = {each.name: each.seen for each in checked if each.state == "warned"}
    assert failed_step(checked) is None
    assert warned["drift"] == '`session.audio.output.voice` is "alloy", asked for was "marin"'
    assert warned["close"] == "the endpoint did not answer the closing handshake"
