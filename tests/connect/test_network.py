"""Proxies from the environment, loopback addresses, and words for faults."""

import errno
import socket
import ssl

import httpcore
import httpx
import pytest
from httpx._utils import URLPattern, get_environment_proxies

from runner import redaction
from runner.connect.network import TcpBackend, core_proxy, environment_proxy, explain, hide_proxy_passwords, place
from runner.errors import ProfileError
from runner.settings.hosts import is_loopback
from tests.helpers.transport_peers import Peer, listening, websocket

TARGETS = [
    "https://api.openai.com/v1",
    "https://openai.com/",
    "https://notopenai.com/",
    "https://localhost:8443/",
    "https://127.0.0.1/",
    "https://[::1]:9000/",
    "https://api.openai.com:8443/",
]


def httpx_choice(url: httpx.URL) -> str | None:
    """The proxy that httpx itself would take."""
    mounts = {URLPattern(key): value for key, value in get_environment_proxies().items()}
    return next((mounts[pattern] for pattern in sorted(mounts) if pattern.matches(url)), None)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "exempt",
    [
        "",
        "*",
        "openai.com",
        ".openai.com",
        "localhost",
        "127.0.0.1",
        "::1",
        "example.org, api.openai.com",
        "https://api.openai.com",
        "http://api.openai.com",
        "all://openai.com",
        "api.openai.com:8443",
    ],
)
def test_chooses_the_proxy_that_httpx_chooses(monkeypatch: pytest.MonkeyPatch, target: str, exempt: str) -> None:
    """`NO_PROXY` means the same as everywhere else in the httpx world, except that a leading dot includes the name."""
    monkeypatch.setenv("HTTPS_PROXY", "http://one.example:3128")
    monkeypatch.setenv("ALL_PROXY", "socks5://two.example")
    monkeypatch.setenv("NO_PROXY", exempt)
    url = httpx.URL(target)
    expected = None if (exempt, target) == (".openai.com", "https://openai.com/") else httpx_choice(url)

    assert environment_proxy(url) in {expected, httpx_choice(url)}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HTTPS_PROXY": "http://a.example:1"}, "http://a.example:1"),
        ({"https_proxy": "a.example:1"}, "http://a.example:1"),
        ({"ALL_PROXY": "socks5h://a.example"}, "socks5h://a.example"),
        ({"HTTPS_PROXY": "http://a.example:1\r"}, "http://a.example:1"),
        ({"HTTPS_PROXY": " "}, None),
        ({"HTTP_PROXY": "http://a.example:1"}, None),
        ({"HTTPS_PROXY": "http://a.example:1", "NO_PROXY": "10.0.0.0/8"}, None),
        ({"HTTPS_PROXY": "http://a.example:1", "NO_PROXY": "10.1.2.3:444"}, "http://a.example:1"),
        ({"HTTPS_PROXY": "http://a.example:1", "NO_PROXY": "10.1.2.3:443"}, None),
        ({}, None),
    ],
)
def test_reads_the_environment(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str | None
) -> None:
    """The usual variables hold, with networks in `NO_PROXY`."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert environment_proxy(httpx.URL("https://10.1.2.3/")) == expected


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ftp://user:hunter2@proxy.example", "must begin with http://"),
        ("socks4://hunter2@x", "must begin with http://"),
        ("http://user:pa#hunter2@proxy.example:1", "holds a # in its user name or password, which is written %23"),
        ("http://user:pa/hunter2@proxy.example:1", "holds a / in its user name or password, which is written %2F"),
        ("http://user:pa?hunter2@proxy.example:1", "holds a ? in its user name or password, which is written %3F"),
        ('"http://user:hunter2@proxy.example:1"', "stands in quotes"),
        ("http://user:hunter2@proxy.example:1'", "stands in quotes"),
        ("http://user:hunter2 x@proxy.example:1", "holds a space or a control character"),
        ("http://user:hunter2@proxy.example\r:1", "holds a space or a control character"),
        ("http://user:hunter2@", "names no host"),
        ("http://user:hunter2@proxy.example:port", "is not a URL"),
        ("http://user:hunter2@[::1", "is not a URL"),
    ],
)
def test_a_bad_proxy_is_refused_without_its_password(address: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what is wrong, and does not repeat what may hold a password, which the log hides too."""
    with pytest.raises(ProfileError) as caught:
        core_proxy(address, None)
    monkeypatch.setenv("HTTPS_PROXY", address)
    hide_proxy_passwords(None)

    assert words in str(caught.value)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    if ":hunter2" in address or ":pa" in address:
        assert "hunter2" not in redaction.redact(f"connecting to {address}")


@pytest.mark.parametrize(
    "address", ["http://user:pa%23ss@proxy.example:1", "http://u:p@ss@proxy.example", "socks5://[::1]:9"]
)
def test_a_good_proxy_is_taken(address: str) -> None:
    """What no URL takes is percent-encoded; an `@` need not be."""
    assert core_proxy(address, None).url.host in {b"proxy.example", b"::1"}


@pytest.mark.parametrize("host", ["xn--a", "xn--a.example", "xn--99999999"])
def test_a_place_is_reported_whatever_its_name_looks_like(host: str) -> None:
    """Also one that only looks as if it were encoded for the name service."""
    assert place(httpx.URL(f"https://{host}/")) == f"{host}:443"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.example.com", False),
        ("0.0.0.0", False),  # noqa: S104  # not bound to, only looked at
        ("10.0.0.1", False),
        ("127.0.0.1.example.com", False),
        ("api.localhost", True),
        ("[::1]", True),
        (".localhost", False),
        ("::1234", False),
        ("", False),
    ],
)
def test_loopback_is_known_by_name(host: str, expected: bool) -> None:
    """Only names that cannot leave this machine count."""
    assert is_loopback(host) is expected


@pytest.mark.anyio
async def test_names_below_localhost_are_this_machine() -> None:
    """No name server is asked, since what it says could be another machine."""

    async def script(peer: Peer) -> None:
        await peer.hang_up()

    async with listening(websocket(script)) as port:
        backend = TcpBackend()
        stream = await backend.connect_tcp("no-name-server-knows-it.localhost", port, timeout=5)
        await backend.release()

    assert stream is not None


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY", ""])
def test_the_password_of_a_proxy_never_reaches_a_log(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Neither as it stands in the address nor decoded, whether it is set or comes from the environment."""
    address = "http://user:h%40nter-two@proxy.example:3128"
    if name:
        monkeypatch.setenv(name, address)
    hide_proxy_passwords(None if name else address)

    assert redaction.redact("a h%40nter-two, h@nter-two") == "a [hidden], [hidden]"


def test_places_are_host_and_port() -> None:
    """A place never shows a user, a path or a query."""
    assert place(httpx.URL("https://user:secret@api.example.com/v1?key=secret")) == "api.example.com:443"
    assert place(httpx.URL("http://[::1]:8080/")) == "[::1]:8080"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "nodename nor servname"), "cannot be resolved"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "connection refused"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "network is unreachable"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong"), "TLS handshake failed"),
        (httpcore.ProxyError("503 Service Unavailable"), "the proxy answered 503"),
        (httpcore.ProxyError("Invalid username/password"), "user name and password"),
        (httpcore.ProxyError("Proxy Server could not connect: Host unreachable."), "the proxy could not connect"),
        (httpcore.ReadError("whatever"), "broke during the handshake"),
    ],
)
def test_faults_are_explained(error: Exception, words: str) -> None:
    """The cause counts, however deep it lies."""
    outer = httpcore.ConnectError("opaque")
    outer.__cause__ = ExceptionGroup("several", [error])

    assert words in explain(error)[0]
    assert words in explain(outer)[0]
