"""Handshakes: what is sent where, what is accepted, and what a refusal says."""

import contextlib
import email.utils
import gc
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import httpcore
import pytest
import uvicorn
from anyio.streams.tls import TLSStream

from runner import redaction
from runner.connect.address import address_of
from runner.connect.handshake import Address, open_websocket
from runner.connect.websocket import WebSocket
from runner.errors import (
    AccessRefused,
    EndpointBusy,
    EndpointUnreachable,
    ProfileError,
    ProtocolError,
    RunnerError,
    SessionRefused,
)
from runner.profile import ProfileProblems, make_profile
from runner.settings.endpoint import ClientCertificate, Network
from runner.settings.profile import Profile
from tests.helpers.log_capture import captured_log
from tests.helpers.transport_peers import (
    PROMPT_S,
    Inbox,
    Peer,
    Pki,
    Proxy,
    answering,
    head,
    listening,
    upgrade,
    websocket,
)

pytestmark = pytest.mark.anyio

KEY = "sk-made-up-0123456789"
HEADERS = {"Authorization": f"Bearer {KEY}", "api-key": KEY}


async def greet(peer: Peer) -> None:
    """Say hello and follow the goodbye."""
    await peer.text("hello")
    await peer.frame()
    await peer.close()


async def hello(url: str, network: Network | None = None, backend: httpcore.AsyncNetworkBackend | None = None) -> str:
    """Open a session with a credential and give its first message."""
    async with open_websocket(Address(url, HEADERS), network, backend=backend) as session:
        return await (await Inbox.of(session)).receive()


async def refusal(url: str, network: Network | None = None) -> RunnerError:
    """The error of an attempt, which must not hold the credential anywhere."""
    with pytest.raises(RunnerError) as caught:
        await hello(url, network)
    assert KEY not in f"{caught.value!r} {caught.value} {caught.value.hint} {caught.value.code}"
    assert caught.value.__cause__ is None
    return caught.value


def status(code: int, body: str = "", extra: str = "") -> bytes:
    """A plain HTTP answer."""
    return f"HTTP/1.1 {code} Reason\r\nContent-Length: {len(body.encode())}\r\n{extra}\r\n{body}".encode()


async def test_sends_the_credential_once_and_leaves_the_callers_headers_alone() -> None:
    """The request holds the caller's headers, ours and the handshake's; the caller's mapping stays as it was."""
    requests = []

    async def script(peer: Peer) -> None:
        requests.append(peer.request.lower())
        await greet(peer)

    headers = dict(HEADERS)
    async with listening(websocket(script)) as port:
        address = Address(f"http://127.0.0.1:{port}/openai/v1/realtime?model=gpt-realtime&x=a%20b", headers)
        async with open_websocket(address, None) as session:
            await (await Inbox.of(session)).receive()

    assert headers == HEADERS
    (request,) = requests
    assert request.startswith(b"get /openai/v1/realtime?model=gpt-realtime&x=a%20b http/1.1\r\n")
    assert request.count(b"authorization:") == request.count(b"\r\nconnection:") == request.count(b"\r\nupgrade:") == 1
    assert b"user-agent: rt-run/" in request
    assert b"sec-websocket-extensions" not in request


async def test_tls_with_an_own_authority_and_a_client_certificate(pki: Pki) -> None:
    """Mutual TLS works, by name and by address."""
    network = Network(
        ca_file=pki.authority,
        client_certificate=ClientCertificate(file=pki.directory / "client.crt", key_file=pki.directory / "client.key"),
    )
    async with listening(websocket(greet), pki.mutual) as port:
        assert await hello(f"https://localhost:{port}/", network) == "hello"
        assert await hello(f"https://127.0.0.1:{port}/", network) == "hello"


async def test_an_unknown_authority_is_explained(pki: Pki) -> None:
    """A certificate that does not verify says so, and points at the setting."""

    async def handle(stream: anyio.abc.ByteStream) -> None:
        with contextlib.suppress(ssl.SSLError):
            await TLSStream.wrap(stream, server_side=True, ssl_context=pki.server)

    async with listening(handle) as port:
        error = await refusal(f"https://localhost:{port}/")

    assert isinstance(error, EndpointUnreachable)
    assert str(error).startswith(f"cannot reach localhost:{port}: certificate verify failed")
    assert "endpoint.ca_file" in error.hint


async def test_no_byte_of_the_credential_before_tls(pki: Pki) -> None:
    """A server that does not speak TLS learns nothing."""
    heard = bytearray()

    async def handle(stream: anyio.abc.ByteStream) -> None:
        heard.extend(await stream.receive())
        await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(handle) as port:
        error = await refusal(f"https://127.0.0.1:{port}/", Network(ca_file=pki.authority))

    assert "TLS handshake failed" in str(error)
    assert heard[0] == 0x16
    assert KEY.encode() not in heard


@pytest.mark.parametrize("by", ["setting", "HTTPS_PROXY", "all_proxy"])
async def test_tls_goes_through_a_connect_proxy(pki: Pki, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """The proxy is asked for a tunnel, gets its own password, and sees nothing but TLS."""
    async with listening(websocket(greet), pki.server) as port:
        proxy = Proxy(port)
        async with listening(proxy.connect) as proxy_port:
            address = f"http://user:pass@127.0.0.1:{proxy_port}"
            if by != "setting":
                monkeypatch.setenv(by, address)
            network = Network(ca_file=pki.authority, proxy=address if by == "setting" else None)
            assert await hello(f"https://localhost:{port}/?secret=query-{KEY}", network) == "hello"

    (asked,) = proxy.asked
    assert asked.startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % port)
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNz" in asked
    assert KEY.encode() not in asked
    assert proxy.carried[0] == 0x16
    assert KEY.encode() not in proxy.carried


@pytest.mark.parametrize(("scheme", "user"), [("socks5", ""), ("socks5h", ""), ("socks5h", "user:pass@")])
async def test_tls_goes_through_a_socks_proxy(pki: Pki, scheme: str, user: str) -> None:
    """The proxy resolves the name, and sees nothing but TLS."""
    async with listening(websocket(greet), pki.server) as port:
        proxy = Proxy(port)
        async with listening(proxy.socks) as proxy_port:
            network = Network(ca_file=pki.authority, proxy=f"{scheme}://{user}127.0.0.1:{proxy_port}")
            assert await hello(f"https://localhost:{port}/", network) == "hello"

    assert proxy.asked == [b"user:pass"] * bool(user) + [b"localhost" + port.to_bytes(2)]
    assert proxy.carried[0] == 0x16
    assert KEY.encode() not in proxy.carried


async def test_no_proxy_goes_direct(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """`NO_PROXY` is honoured; an explicit proxy wins over it."""
    async with listening(websocket(greet), pki.server) as port:
        proxy = Proxy(port)
        async with listening(proxy.connect) as proxy_port:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy_port}")
            monkeypatch.setenv("NO_PROXY", "localhost")
            await hello(f"https://localhost:{port}/", Network(ca_file=pki.authority))
            direct = proxy.connections
            explicit = Network(ca_file=pki.authority, proxy=f"http://127.0.0.1:{proxy_port}")
            await hello(f"https://localhost:{port}/", explicit)

    assert (direct, proxy.connections) == (0, 1)


async def test_plain_http_never_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment does not see what is spoken in plain text on this machine; a set one is refused."""
    async with listening(websocket(greet)) as port:
        proxy = Proxy(port)
        async with listening(proxy.connect) as proxy_port:
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy_port}")
            monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy_port}")
            assert await hello(f"http://127.0.0.1:{port}/") == "hello"
            error = await refusal(f"http://127.0.0.1:{port}/", Network(proxy=f"http://127.0.0.1:{proxy_port}"))

    assert isinstance(error, SessionRefused)
    assert proxy.connections == 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "wants a valid user name and password"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy answered 502"),
        (b"", "broke during the handshake"),
    ],
)
async def test_a_proxys_refusal_is_explained_without_its_password(answer: bytes, words: str) -> None:
    """The message names the endpoint and the proxy, not the proxy's password."""
    async with listening(answering(answer)) as port:
        error = await refusal("https://api.example.com/", Network(proxy=f"http://user:{KEY}@127.0.0.1:{port}"))

    assert isinstance(error, EndpointUnreachable)
    assert f"api.example.com:443 through the proxy 127.0.0.1:{port}: " in str(error)
    assert words in str(error)


@pytest.mark.parametrize("answer", [b"\x05\xff", b"\x05\x02\x01\x01", b"garbage", b"", b"\x05"])
async def test_a_socks_proxy_that_refuses_or_talks_nonsense(answer: bytes) -> None:
    """Whatever a SOCKS proxy says, the error is ours and nothing stays open."""

    async def handle(stream: anyio.abc.ByteStream) -> None:
        await stream.receive()
        if answer:
            await stream.send(answer)

    async with listening(handle) as port:
        error = await refusal("https://api.example.com/", Network(proxy=f"socks5://user:{KEY}@127.0.0.1:{port}"))
    gc.collect()

    assert isinstance(error, EndpointUnreachable)
    assert "through the proxy" in str(error)


async def test_a_refused_connection_names_the_place() -> None:
    """Nobody listens: the message says where."""
    async with listening(websocket(greet)) as port:
        pass
    error = await refusal(f"http://127.0.0.1:{port}/")

    assert isinstance(error, EndpointUnreachable)
    assert str(error) == f"cannot reach 127.0.0.1:{port}: connection refused"


async def test_an_unknown_name_is_explained() -> None:
    """A name that does not resolve says so."""
    error = await refusal("https://no-such-host.invalid/v1", Network(connect_timeout_s=10))

    assert isinstance(error, EndpointUnreachable)
    assert "no-such-host.invalid:443" in str(error)


@pytest.mark.parametrize("stage", ["tls", "socks", "http", "body"])
async def test_one_limit_holds_for_the_whole_handshake(pki: Pki, stage: str) -> None:
    """A peer that stops at any stage is given up in time, and every socket is released."""

    async def handle(stream: anyio.abc.ByteStream) -> None:
        if stage == "body":
            await head(stream)
            await stream.send(b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf")
        await anyio.sleep_forever()

    proxy, scheme = None, "http"
    async with listening(handle) as port:
        if stage in {"tls", "socks"}:
            scheme = "https"
        if stage == "socks":
            proxy = f"socks5://127.0.0.1:{port}"
        limit_s = 0.2
        while True:
            started_s = anyio.current_time()
            network = Network(connect_timeout_s=limit_s, proxy=proxy, ca_file=pki.authority)
            error = await refusal(f"{scheme}://127.0.0.1:{port}/", network)
            took_s = anyio.current_time() - started_s
            if stage != "body" or "HTTP" in str(error):
                break
            limit_s *= 10  # a busy machine gets as far only in more time
    gc.collect()

    if stage == "body":
        assert str(error).endswith("HTTP 500: half")
    else:
        assert isinstance(error, EndpointUnreachable)
        assert f"within {limit_s:g} s" in str(error)
    assert took_s < limit_s + PROMPT_S


async def test_the_limit_does_not_hold_for_the_session() -> None:
    """Once open, a session may live longer than its handshake was allowed to take."""

    async def script(peer: Peer) -> None:
        await anyio.sleep(1.2)
        await greet(peer)

    async with listening(websocket(script)) as port:
        assert await hello(f"http://127.0.0.1:{port}/", Network(connect_timeout_s=1)) == "hello"


async def test_a_cancelled_handshake_releases_everything(pki: Pki) -> None:
    """Cancelling in the middle of TLS leaves no socket behind."""

    async def handle(stream: anyio.abc.ByteStream) -> None:
        await anyio.sleep_forever()

    async with listening(handle) as port:
        with anyio.move_on_after(0.1) as limit:
            await hello(f"https://127.0.0.1:{port}/", Network(ca_file=pki.authority))
    gc.collect()

    assert limit.cancelled_caught


OPENAI = {"error": {"message": f"Incorrect API key provided: {KEY}.", "type": "x", "code": "invalid_api_key"}}
AZURE = {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}
GATEWAY = {"statusCode": 401, "message": "Access denied due to invalid subscription key."}


@pytest.mark.parametrize(
    ("code", "body", "kind", "words"),
    [
        (401, json.dumps(OPENAI), AccessRefused, r"HTTP 401: Incorrect API key provided: \[hidden\]"),
        (404, json.dumps(AZURE), SessionRefused, "HTTP 404: The API deployment does not exist"),
        (401, json.dumps(GATEWAY), AccessRefused, "HTTP 401: Access denied"),
        (400, json.dumps({"detail": "model missing"}), SessionRefused, "HTTP 400: model missing"),
        (403, json.dumps({"error": "not from here"}), AccessRefused, "HTTP 403: not from here"),
        (503, "try\n later\x1b[31m", EndpointBusy, r"HTTP 503: try later \[31m$"),
        (502, "<html>bad gateway</html>", EndpointBusy, "HTTP 502: Reason"),
        (422, json.dumps({"detail": [{"msg": "no such voice"}]}), SessionRefused, "HTTP 422: no such voice"),
        (500, "[1, 2]", EndpointBusy, "HTTP 500: Reason"),
        (500, "[" * 60_000, EndpointBusy, "HTTP 500: Reason$"),
        (500, "x" * 200_000, EndpointBusy, "HTTP 500: x{500}$"),
        (418, "", SessionRefused, "HTTP 418: Reason"),
    ],
)
async def test_a_refusal_in_the_endpoints_own_words(code: int, body: str, kind: type[RunnerError], words: str) -> None:
    """Status, code and message reach the user, short, printable, and without an echoed credential."""
    async with listening(answering(status(code, body))) as port:
        error = await refusal(f"http://127.0.0.1:{port}/")

    assert type(error) is kind
    assert pytest.raises(RunnerError, match=words).matches(error)


async def test_a_refusal_names_the_model_but_no_secret() -> None:
    """What the session is about is no secret, not even where a header's value is a part of it."""
    body = {"error": {"code": "model_not_found", "message": "`gpt-realtime-9` at team-seven with tag-0123456 is not"}}
    query = "model=gpt-realtime-9&api-version=2025-04-01-preview&tag=tag-0123456"
    async with listening(answering(status(404, json.dumps(body)))) as port:
        address = Address(f"http://127.0.0.1:{port}/?{query}", {"X-Kind": "realtime", "X-Team": "team-seven"})
        with pytest.raises(SessionRefused) as caught:
            async with open_websocket(address, None):
                pass

    assert "`gpt-realtime-9` at [hidden] with [hidden] is not" in str(caught.value)
    assert redaction.redact("realtime at team-seven with tag-0123456") == "realtime at [hidden] with [hidden]"
    assert address.shown_url().endswith("?model=gpt-realtime-9&api-version=2025-04-01-preview&tag=[hidden]")


async def test_a_refusals_code_is_kept() -> None:
    """The endpoint's own code decides, and is there for the logs."""
    body = json.dumps({"error": {"code": "insufficient_quota", "message": "You exceeded your quota."}})
    async with listening(answering(status(429, body))) as port:
        error = await refusal(f"http://127.0.0.1:{port}/")

    assert (type(error), error.code) == (AccessRefused, "insufficient_quota")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("7", 7.0), ("1.5", 1.5), ("-3", 0.0), ("soon", None), ("nan", None), ("inf", None), ("date", 60.0)],
)
async def test_retry_after_is_read(value: str, expected: float | None) -> None:
    """Seconds or a date, whichever the endpoint sends."""
    if value == "date":
        value = email.utils.formatdate(time.time() + 60, usegmt=True)
    async with listening(answering(status(429, "slow down", f"Retry-After: {value}\r\n"))) as port:
        error = await refusal(f"http://127.0.0.1:{port}/")

    assert isinstance(error, EndpointBusy)
    assert error.retry_after_s == (pytest.approx(expected, abs=3) if expected else expected)
    assert ("try again in " in error.hint) is bool(expected)
    if value == "1.5":
        assert error.hint.endswith("try again in 2 s")


@pytest.mark.parametrize("beginning", ['{"error": {"message": "the model', "no such model", ""])
async def test_a_body_that_never_ends_does_not_hide_its_status(beginning: str) -> None:
    """What came of it is told, before the time of the handshake is over."""

    async def handle(stream: anyio.abc.ByteStream) -> None:
        await head(stream)
        await stream.send(f"HTTP/1.1 404 Reason\r\nContent-Length: 5000\r\n\r\n{beginning}".encode())
        await anyio.sleep_forever()

    async with listening(handle) as port:
        error = await refusal(f"http://127.0.0.1:{port}/", Network(connect_timeout_s=2.5))

    assert isinstance(error, SessionRefused)
    assert error.message.endswith(f"HTTP 404: {beginning or 'Reason'}")


@pytest.mark.parametrize(
    "extra",
    [
        "Location: http://xn--a/\r\n",
        "Location: https://[::1\r\n",
        "Location: http://x:99999999/\r\n",
        "Retry-After: Mon, 01 Jan 99999999999 00:00:00 GMT\r\n",
        "Date: Mon, 01 Jan 2024 00:00:00 +99999999\r\n",
        "Content-Type: text/\xe9; charset=\x27\r\n",
        "Content-Encoding: \xff\r\n",
    ],
)
async def test_odd_headers_of_a_refusal_do_not_matter(extra: str) -> None:
    """The status is what counts."""
    answer = b"HTTP/1.1 503 Reason\r\nContent-Length: 0\r\n" + extra.encode("latin-1") + b"\r\n"
    async with listening(answering(answer)) as port:
        error = await refusal(f"http://127.0.0.1:{port}/")

    assert isinstance(error, EndpointBusy)
    assert error.status == 503


async def test_no_log_of_httpx_tells_the_query(caplog: pytest.LogCaptureFixture) -> None:
    """A host program that listens to all loggers sees where, and no value that may be secret; the endpoint gets all."""
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        requests.append(peer.request)
        await greet(peer)

    caplog.set_level("DEBUG")
    async with listening(websocket(script)) as port:
        assert await hello(f"http://127.0.0.1:{port}/v1?model=m&sig={KEY}&short=s_3") == "hello"

    assert f"GET /v1?model=m&sig={KEY}&short=s_3 ".encode() in requests[0]
    assert "/v1?model=m" in caplog.text
    assert KEY not in caplog.text
    assert "s_3" not in caplog.text


async def test_plain_http_to_another_machine_is_allowed_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway in a Compose network; every connection says in the log that it is readable, and no proxy is asked."""
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with captured_log() as lines:
        async with listening(websocket(greet)) as port:
            with monkeypatch.context() as names:
                names.setattr("runner.connect.handshake.is_loopback", lambda _host: False)
                url, trusted = f"http://localhost:{port}/", Network(insecure=True)
                assert await hello(url, trusted) == "hello"
                assert isinstance(await refusal(url), SessionRefused)
                assert isinstance(await refusal(url, Network(insecure=True, proxy="http://p:1")), SessionRefused)

    assert [each["endpoint"] for each in lines if each["event"] == "connection_unencrypted"] == [f"localhost:{port}"]


async def test_redirects_are_not_followed() -> None:
    """A redirect is a refusal that names where it points; no second request is made."""
    requests: list[bytes] = []
    for location in ("https://elsewhere.example/v1?token=abc", "/v2"):
        answer = status(307, "", f"Location: {location}\r\n")
        async with listening(answering(answer, requests)) as port:
            error = await refusal(f"http://127.0.0.1:{port}/v1")
        target = "elsewhere.example:443" if "elsewhere" in location else f"127.0.0.1:{port}"
        assert f"HTTP 307: it redirects to {target}" in str(error)
        assert "endpoint.base_url" in error.hint

    assert len(requests) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(200, "welcome"), "answered the WebSocket handshake with HTTP 200"),
        (b"-ERR unknown command\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 200_000, "does not speak HTTP"),
    ],
)
async def test_an_answer_that_is_no_websocket(answer: bytes, words: str) -> None:
    """A web server or something else entirely is told apart from a refusal."""
    async with listening(answering(answer)) as port:
        error = await refusal(f"http://127.0.0.1:{port}/")

    assert isinstance(error, ProtocolError)
    assert words in str(error)


async def test_interim_answers_are_passed_over_and_nothing_behind_the_head_is_lost() -> None:
    """A gateway may send hints first, and long headers, and an endpoint its first message right behind them."""

    async def handle(stream: anyio.abc.ByteStream) -> None:
        request = await head(stream)
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
        await stream.send(early + upgrade(request, f"X-Trace: {'x' * 90_000}\r\n") + b"\x81\x05hello")
        await Peer(stream, request).close()

    async with listening(handle) as port:
        assert await hello(f"http://127.0.0.1:{port}/") == "hello"


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x", "wrong Sec-WebSocket-Accept"),
        ("Sec-WebSocket-Accept: ", "X-Accept: ", "wrong Sec-WebSocket-Accept"),
        ("Upgrade: websocket", "Upgrade: h2c", "not to WebSocket"),
        (
            "Upgrade: websocket",
            "Upgrade: websocket\r\nSec-WebSocket-Protocol: realtime",
            "protocol that was not offered",
        ),
        (
            "Upgrade: websocket",
            "Upgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate",
            "extension that was not offered",
        ),
    ],
)
async def test_a_wrong_handshake_is_refused(right: str, wrong: str, words: str) -> None:
    """The answer must prove that it is for us, and choose nothing that was not offered."""

    async def handle(stream: anyio.abc.ByteStream) -> None:
        request = await head(stream)
        await stream.send(upgrade(request).replace(right.encode(), wrong.encode()))
        await stream.receive()

    async with listening(handle) as port:
        error = await refusal(f"http://127.0.0.1:{port}/")

    assert isinstance(error, ProtocolError)
    assert words in str(error)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://api.example.com/v1", "without TLS"),
        ("http://10.0.0.1/v1", "without TLS"),
        ("http://localhost.example.com/", "without TLS"),
        ("wss://api.example.com/v1", "must begin with https://"),
        ("https:///v1", "must begin with https://"),
        (f"https://user:{KEY}@api.example.com/v1", "must not carry a user name"),
        (f"https://{KEY}@api.example.com/v1", "must not carry a user name"),
        ("https://api.example.com:port/", "not a URL"),
        ("https://xn--a/v1", "not a URL"),
        ("https://xn--a.example/v1", "not a URL"),
        ("https://\U0001f4a9.test/v1", "not a URL"),
        ("https://1.2.3.999/v1", "not a URL"),
    ],
)
async def test_addresses_that_would_be_unsafe_are_refused(url: str, words: str) -> None:
    """Nothing is sent in plain text to another machine, whoever made the address."""
    error = await refusal(url)

    assert isinstance(error, SessionRefused)
    assert words in str(error)
    assert KEY not in str(error)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", f"Bearer {KEY}\n"),
        ("Authorization", f"Bearer {KEY} "),
        ("X-Name", f"café {KEY}"),
        ("Sec-WebSocket-Key", KEY),
        ("connection", KEY),
    ],
)
async def test_bad_headers_are_refused_by_name(name: str, value: str) -> None:
    """A secret with a line break is explained without being shown."""
    with pytest.raises(SessionRefused, match=name) as caught:
        async with open_websocket(Address("https://api.example.com/", {name: value}), None):
            pass

    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        {"headers": {"X-User": "Jörg"}},
        {"headers": {"Sec-WebSocket-Protocol": "realtime"}},
        {"headers": {"Host": "api.openai.com"}},
        {"headers": {"X-A": "a\nb"}},
        {"headers": {"X-A": " a"}},
        {"base_url": "http://127.0.0.1:1/v1", "proxy": "http://127.0.0.1:3128"},
        {"base_url": "http://gw.test/v1"},
        {"ca_file": "nope.pem"},
    ],
)
async def test_what_a_connection_refuses_the_profile_refuses(endpoint: dict[str, Any]) -> None:
    """Nobody has to connect to learn what the profile alone says."""
    endpoint = {"kind": "custom", "base_url": "https://gw.test/v1", **endpoint}
    unjudged = Profile.model_validate({"version": 1, "endpoint": endpoint})
    with pytest.raises((SessionRefused, ProfileError)):
        async with open_websocket(address_of(unjudged, {}), unjudged.endpoint):  # type: ignore[arg-type]  # not judged
            pass

    with pytest.raises(ProfileProblems):
        make_profile(endpoint=endpoint)


async def test_a_missing_bundle_is_a_problem_of_the_profile(tmp_path: Path) -> None:
    """Files are looked at before anything is sent."""
    assert isinstance(await refusal("https://api.example.com/", Network(ca_file=tmp_path / "no.pem")), ProfileError)


async def test_the_repr_of_an_address_shows_no_secret() -> None:
    """Neither header values nor the query nor a user appear."""
    address = Address(f"https://user:{KEY}@api.example.com/v1/realtime?api-key={KEY}", HEADERS)

    assert repr(address) == "Address(https://api.example.com:443/v1/realtime, headers=['Authorization', 'api-key'])"


class Inside(httpcore.AnyIOBackend):
    """A way to a server that no name leads to."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        """Go there whatever the name says."""
        return await super().connect_tcp("127.0.0.1", self.port)


async def test_a_backend_of_ones_own_needs_neither_tls_nor_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server in this process is reached by any name, without the proxies of the environment."""
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with listening(websocket(greet)) as port:
        assert await hello("http://local/v1/realtime", None, Inside(port)) == "hello"


@contextlib.asynccontextmanager
async def uvicorn_server(app: Any) -> AsyncIterator[int]:
    """A real ASGI server in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:  # noqa: ASYNC110  # the thread has no event to offer
        await anyio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


async def test_speaks_with_uvicorn() -> None:
    """A session with the server that most Python endpoints run on, close code and reason included."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": (await receive())["text"].upper()})
        await send({"type": "websocket.close", "code": 3000, "reason": "invalid_request_error.invalid_api_key"})

    async with (
        uvicorn_server(app) as port,
        open_websocket(Address(f"http://127.0.0.1:{port}/", HEADERS), None) as session,
    ):
        inbox = await Inbox.of(session)
        session.put("hello")
        assert await inbox.receive() == "HELLO"
        with pytest.raises(AccessRefused) as caught:
            await inbox.receive()

    assert isinstance(session, WebSocket)
    assert (session.close_code, caught.value.code) == (3000, "invalid_api_key")
