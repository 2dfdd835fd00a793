"""Tools that are requests of HTTP: what is asked of whom, and what becomes of any answer."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from runner.connect import asyncio_stream
from runner.connect.name_resolution import resolved
from runner.errors import ProfileError, SecretError
from runner.redaction import MASK
from tests.helpers.log_capture import captured_log
from tests.helpers.tool_calls import called
from tests.helpers.transport_peers import Proxy, head, listening, make_pki

pytestmark = pytest.mark.anyio

BOTH_LOOPS = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio", ("asyncio", {"use_uvloop": True})])


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the proxies of the machine out of the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def http(url: str, **run: Any) -> dict[str, Any]:
    """A tool that asks this address; the limits of its calls are among the settings."""
    limits: dict[str, Any] = {
        name: run.pop(name) for name in ("timeout_s", "retries", "max_output_bytes") if name in run
    }
    run = {"kind": "http", "url": url, **run}
    return {"name": "look_up", "parameters": {"type": "object"}, "run": run, **limits}


class Server:
    """A server that gives its answers in turn, the last one for ever, and keeps what it was asked."""

    def __init__(self, *answers: str | bytes, then: Callable[[anyio.abc.ByteStream], Any] | None = None) -> None:
        self._answers = [each.encode() if isinstance(each, str) else each for each in answers]
        self._then = then
        self.heads: list[str] = []
        self.bodies: list[bytes] = []

    async def __call__(self, stream: anyio.abc.ByteStream) -> None:
        """Serve one connection."""
        request = (await head(stream)).decode()
        length = next((line[16:] for line in request.lower().splitlines() if line.startswith("content-length: ")), "0")
        body = b""
        while len(body) < int(length):
            body += await stream.receive()
        self.heads.append(request)
        self.bodies.append(body)
        await stream.send(self._answers[min(len(self.heads), len(self._answers)) - 1])
        if self._then:
            await self._then(stream)


def answer(status: str, body: str = "", *headers: str) -> str:
    """An answer of HTTP/1.1, after which the connection ends."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", body])


@BOTH_LOOPS
async def test_arguments_are_the_body_and_the_answer_is_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token goes along by reference, and is masked where the server repeats it."""
    monkeypatch.setenv("ORDERS_TOKEN", "token-of-orders")
    server = Server(answer("200 OK", "shipped, says token-of-orders"))
    headers = {"Authorization": {"env": "ORDERS_TOKEN"}, "X-Team": "support"}
    async with listening(server) as port:
        result = await called(http(f"http://127.0.0.1:{port}/orders?by=number", headers=headers), '{"order": "7"}')

    assert (result.outcome, result.output) == ("ok", f"shipped, says {MASK}")
    lines = server.heads[0].split("\r\n")
    assert lines[0] == "POST /orders?by=number HTTP/1.1"
    assert {"authorization: Bearer token-of-orders", "x-team: support", "content-type: application/json"} <= {
        f"{line.partition(':')[0].lower()}:{line.partition(':')[2]}" for line in lines[1:]
    }
    assert json.loads(server.bodies[0]) == {"order": "7"}


async def test_arguments_may_be_the_query() -> None:
    """Whatever they hold, they stay values of the query."""
    server = Server(answer("200 OK", "fine"))
    arguments = {"order": "7&admin=1#/../..", "tags": ["a", 2, None], "deep": {"x": True}, "none": None}
    async with listening(server) as port:
        await called(http(f"http://127.0.0.1:{port}/orders?lang=en", method="GET"), json.dumps(arguments))

    asked = server.heads[0].split(" ", 2)[1]
    assert asked == "/orders?lang=en&order=7%26admin%3D1%23%2F..%2F..&tags=a&tags=2&deep=%7B%22x%22%3Atrue%7D"
    assert server.bodies == [b""]


@pytest.mark.parametrize(
    ("given", "outcome", "output"),
    [
        (answer("404 Not Found", "no such order"), "failed", "The tool answered with HTTP 404.\nno such order"),
        (answer("204 No Content"), "ok", ""),
        (
            answer("200 OK", "x", "Content-Encoding: gzip"),
            "failed",
            "The tool answered with HTTP 200, in an encoding that was not asked for.",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\x00", "ok", "\ufffd\ufffd"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=latin-1\r\nContent-Length: 1\r\n\r\n\xe4", "ok", "ä"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=hex\r\nContent-Length: 1\r\n\r\na", "ok", "a"),
        ("nonsense\r\n\r\n", "failed", "The tool could not be reached."),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "failed", "The tool could not be reached."),
    ],
    ids=["missing", "empty", "zipped", "no-text", "latin", "odd-charset", "no-http", "half"],
)
async def test_whatever_a_server_says_is_an_answer(given: str | bytes, outcome: str, output: str) -> None:
    """What is no success tells the model so."""
    async with listening(Server(given)) as port:
        result = await called(http(f"http://127.0.0.1:{port}"))

    assert (result.outcome, result.output) == (outcome, output)


async def test_what_may_pass_is_asked_again() -> None:
    """Where the profile says that it does no harm."""
    server = Server(answer("503 Busy"), answer("200 OK", "fine"))
    async with listening(server) as port:
        result = await called(http(f"http://127.0.0.1:{port}", retries=1))

    assert (result.outcome, result.output, result.attempts) == ("ok", "fine", 2)


@pytest.mark.parametrize("target", ["http://localhost:{port}/", "http://169.254.169.254/", "//[::1]:{port}", "::"])
async def test_redirects_are_not_followed(target: str) -> None:
    """Wherever they lead; the log says where."""
    async with listening(other := Server(answer("200 OK", "secret"))) as port:
        server = Server(answer("302 Found", "", f"Location: {target.format(port=port)}"))
        async with listening(server) as first:
            with captured_log() as lines:
                result = await called(http(f"http://127.0.0.1:{first}"))

    assert (result.outcome, other.heads) == ("failed", [])
    assert result.output == "The tool answered with HTTP 302, a redirect, which is not followed."
    assert [line["event"] for line in lines] == ["tool_redirected", "tool_called"]


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254"])
async def test_a_name_does_not_lead_to_this_machine_or_its_link(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services there trust whoever reaches them; who means them names their address."""
    server = Server(answer("200 OK", "secret"))
    async with listening(server) as port:
        infos = await resolved("127.0.0.1", port)
        monkeypatch.setattr(asyncio_stream, "resolved", partial(_found, infos))
        monkeypatch.setattr(
            asyncio_stream.AsyncioStream,
            "get_extra_info",
            lambda _self, info: (address, port) if "addr" in info else None,
        )
        with captured_log() as lines:
            result = await called(http(f"http://orders.example.org:{port}", insecure=True, retries=2))

    assert (result.outcome, result.output, result.attempts) == ("failed", "The tool could not be reached.", 1)
    assert server.heads == []
    assert f"leads to {address}" in lines[0]["error"]


async def _found(infos: Any, _host: str, _port: int) -> Any:
    return infos


@BOTH_LOOPS
async def test_a_body_without_end_is_cut() -> None:
    """The model gets the beginning, and the connection is closed."""

    async def go_on(stream: anyio.abc.ByteStream) -> None:
        while True:
            await stream.send(b"a\n" * 1000)

    async with listening(Server("HTTP/1.1 200 OK\r\n\r\n", then=go_on)) as port:
        result = await called(http(f"http://127.0.0.1:{port}", max_output_bytes=256))

    assert (result.outcome, result.is_cut, len(result.output)) == ("ok", True, 256)


async def test_a_server_that_is_silent_is_given_up() -> None:
    """And one that is not there is known at once."""
    async with listening(Server("", then=lambda _stream: anyio.sleep_forever())) as port:
        silent = await called(http(f"http://127.0.0.1:{port}", timeout_s=0.1))
    absent = await called(http(f"http://127.0.0.1:{port}"))

    assert (silent.outcome, absent.outcome) == ("timed-out", "failed")


async def test_proxy_and_authorities_are_as_for_endpoints(tmp_path: Path) -> None:
    """Without the right authority nothing is asked."""
    pki = make_pki(tmp_path)
    server = Server(answer("200 OK", "fine"))
    async with listening(server, pki.server) as port:
        proxy = Proxy(port)
        async with listening(proxy.connect) as through:
            table = http(f"https://localhost:{port}", proxy=f"http://127.0.0.1:{through}", ca_file=str(pki.authority))
            trusted = await called(table)
            del table["run"]["ca_file"]
            distrusted = await called(table)

    assert (trusted.outcome, distrusted.outcome, len(server.heads)) == ("ok", "failed", 1)
    assert proxy.connections == 2


@pytest.mark.parametrize(
    ("run", "error", "problem"),
    [
        ({"headers": {"X-Key": {"env": "NOT_SET"}}}, SecretError, "NOT_SET is not set"),
        ({"headers": {"X-Key": {"env": "TWO_LINES"}}}, SecretError, "the header X-Key holds characters"),
        ({"ca_file": "/no/such/file"}, ProfileError, "cannot read /no/such/file"),
    ],
)
async def test_what_can_never_work_ends_the_start(
    run: dict[str, Any], error: type[Exception], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason."""
    monkeypatch.delenv("NOT_SET", raising=False)
    monkeypatch.setenv("TWO_LINES", "a\r\nX-B: 1")

    with pytest.raises(error, match=problem):
        await called(http("https://example.org", **run))
