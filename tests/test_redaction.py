"""Secrets that pass through every way to fail, and must come out of none.

What an endpoint says of the conversation is the user's data: outputs (`stdout`, `events`, `transcript`) carry the
endpoint's own words unchanged, and nothing here looks into them. Logs and messages are rt-run's words, and hold no
secret that rt-run was given, even where an endpoint repeats it.
"""

import contextlib
import io
import json
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from runner import load_profile, logs, redaction
from runner.cli import run_command as run_command
from runner.cli.main import run as rt_run
from runner.errors import AccessRefused
from runner.runs.fleet import run_profiles
from tests.helpers.command_process import Command, Ended
from tests.helpers.log_capture import log_restored
from tests.helpers.peer import Peer, Script, serving
from tests.helpers.transport_peers import Handler, answering, head, listening, make_pki

KEY = 'made-up/key+"of-a-test"\\7'
PROXY_PASSWORD = "made-up-password-of-a-proxy"
QUERY = "made-up-word-of-a-query"
LITERAL = "made-up-literal-horse-battery"
FORMATS = ("json", "console")
REFUSALS = {
    "401 that repeats the key": lambda: answer(
        401, {"error": {"code": "invalid_api_key", "message": f"Bad key {KEY}"}}
    ),
    "401 that repeats the header": lambda: answer(401, f"Authorization: Bearer {KEY} is wrong"),
    "403 whose code is the key": lambda: answer(403, {"error": {"code": KEY, "message": KEY}}),
    "400 that repeats the query": lambda: answer(400, f"GET /v1/realtime?code={QUERY} is wrong"),
    "500 with the key in its reason": lambda: f"HTTP/1.1 500 Bad {KEY}\r\nContent-Length: 0\r\n\r\n".encode(),
    "302 to an address with the key": lambda: (
        b"HTTP/1.1 302 Found\r\nLocation: https://user:" + PROXY_PASSWORD.encode() + b"@example.invalid/?"
        b"key=" + QUERY.encode() + b"\r\nContent-Length: 0\r\n\r\n"
    ),
    "101 that is none": lambda: f"HTTP/1.1 101 {KEY}\r\nUpgrade: {QUERY}\r\nConnection: upgrade\r\n\r\n".encode(),
    "no HTTP": lambda: f"ERR unknown command {KEY}\r\n\r\n".encode(),
    "half a head": lambda: f"HTTP/1.1 200 OK\r\nX-Echo: {KEY}\r\n".encode(),
}


def answer(status: int, body: Any) -> bytes:
    """An HTTP answer with a body in JSON or text."""
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    return f"HTTP/1.1 {status} Refused\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def error(message: str, **more: str) -> dict[str, Any]:
    """An `error` event."""
    return {"type": "error", "event_id": "e", "error": {"type": "invalid_request_error", "message": message, **more}}


async def _fatal(peer: Peer) -> None:
    await peer.greet()
    await peer.send(error(f"Incorrect API key provided: {KEY}", code="invalid_api_key"))
    await peer.to_the_end()


async def _novel(peer: Peer) -> None:
    await peer.greet()
    await peer.until("response.create")
    await peer.send(error(f"Bearer {KEY} is odd", code=KEY, param=KEY))
    await peer.send({"type": f"novelty.{KEY}", "key": KEY})
    await peer.send({"type": "response.done", "response": {"id": KEY, "status": "failed", "status_details": KEY}})
    await peer.send(f"not JSON: {KEY}")
    await peer.to_the_end()


async def _refused(peer: Peer) -> None:
    await peer.send({"type": "session.created", "session": {"id": f"sess_{KEY}", "model": KEY}})
    await peer.until("session.update")
    await peer.send(error(f"no such voice for {KEY}", param=KEY))
    await peer.to_the_end()


async def _failed(peer: Peer) -> None:
    await peer.greet()
    await peer.until("response.create")
    details = {"type": "failed", "reason": KEY, "error": {"code": "server_error", "message": json.dumps({"key": KEY})}}
    await peer.send({"type": "response.created", "response": {"id": f"resp_{KEY}", "conversation_id": "c"}})
    done = {"id": f"resp_{KEY}", "status": "failed", "status_details": details}
    await peer.send({"type": "response.done", "response": done})
    await peer.to_the_end()


async def _closed(peer: Peer) -> None:
    await peer.greet()
    await peer.close(3000, f"no key like {KEY}")
    await peer.to_the_end()


SCRIPTS: dict[str, Script] = {
    "fatal error event": _fatal,
    "odd events": _novel,
    "refused configuration": _refused,
    "failed response": _failed,
    "close reason": _closed,
}


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Leave neither a configured log nor hidden words behind."""
    with log_restored():
        yield


@contextlib.contextmanager
def in_background(serve: Callable[[], Any]) -> Iterator[int]:
    """Run a server beside the test; yields its port."""
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(serve()) as served:
        yield served if isinstance(served, int) else served[0]


def profile(url: str, *, auth: str = 'kind = "api-key"\napi_key = { env = "THE_KEY" }', more: str = "") -> str:
    """A profile of a custom endpoint with a word in its query."""
    return f"""version = 1
[endpoint]
kind = "custom"
base_url = "{url}/v1"
query = {{ code = "{QUERY}" }}
connect_timeout_s = 5
{more}
[auth]
{auth}
[model]
name = "test"
[session]
output_modalities = ["text"]
[run]
max_response_retries = 0
[run.reconnect]
max_attempts = 0
"""


Runs = Callable[..., list[Ended]]


@pytest.fixture
def run_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Runs]:
    """Run a profile at level debug with one line of input, once for machines and once for people."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THE_KEY", KEY)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    stdin = os.dup(0)

    def once(form: str) -> Ended:
        redaction._secrets = redaction.Secrets()
        (tmp_path / "input").write_text("Hello\n")
        with (tmp_path / "input").open() as lines:
            os.dup2(lines.fileno(), 0)
        code = rt_run(["-p", "p.toml", "-v", "--log-format", form])
        said = capfd.readouterr()
        return Ended(code, said.out, said.err)

    def runs(text: str, **environment: str) -> list[Ended]:
        (tmp_path / "p.toml").write_text(text)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return [once(each) for each in FORMATS]

    yield runs
    os.dup2(stdin, 0)
    os.close(stdin)


def told(secret: str, ended: Ended) -> list[str]:
    """The lines that hold a secret in any spelling of it."""
    spellings = {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], json.dumps(json.dumps(secret)[1:-1])[1:-1]}
    lines = [*ended.stderr.splitlines(), *ended.stdout.splitlines()]
    return [line for line in lines if any(spelling in line for spelling in spellings)]


def assert_silent(runs: list[Ended], code: int, *secrets: str) -> None:
    """Every run failed in this way, said something about it, and named no secret."""
    for ended in runs:
        assert ended.code == code, ended.stderr
        assert len(ended.stderr) > 40
        for secret in (KEY, PROXY_PASSWORD, QUERY, *secrets):
            assert not told(secret, ended)


@pytest.mark.parametrize(
    ("name", "code"), [*zip(REFUSALS, (77, 77, 77, 78, 75, 69, 76, 76, 69), strict=True)], ids=list(REFUSALS)
)
def test_refused_handshakes_tell_no_secret(run_both: Runs, name: str, code: int) -> None:
    """A server that repeats what we sent it, in its status, headers or body."""
    with in_background(lambda: listening(answering(REFUSALS[name]()))) as port:
        assert_silent(run_both(profile(f"http://127.0.0.1:{port}")), code)


@pytest.mark.parametrize(("name", "code"), [*zip(SCRIPTS, (77, 76, 78, 75, 77), strict=True)], ids=list(SCRIPTS))
def test_sessions_tell_no_secret(run_both: Runs, name: str, code: int) -> None:
    """An endpoint that repeats the key in its events and in its close frame."""
    with in_background(lambda: serving(SCRIPTS[name])) as port:
        assert_silent(run_both(profile(f"http://127.0.0.1:{port}")), code)


def test_a_name_that_does_not_resolve_tells_no_secret(run_both: Runs) -> None:
    """DNS failure names host and port, and nothing of the request."""
    assert_silent(run_both(profile("https://nobody.invalid"), NO_PROXY="*"), 69)


def test_a_failed_tls_handshake_tells_no_secret(run_both: Runs, tmp_path: Path) -> None:
    """A certificate that no authority vouches for ends the attempt before anything was said."""
    folder = tmp_path / "pki"
    folder.mkdir()
    server: ssl.SSLContext = make_pki(folder).server
    with in_background(lambda: listening(answering(b""), server)) as port:
        assert_silent(run_both(profile(f"https://localhost:{port}"), NO_PROXY="*"), 69)


async def _refuses_to_connect(stream: anyio.abc.ByteStream) -> None:
    asked = await head(stream)
    await stream.send(b"HTTP/1.1 407 Who are you\r\nX-Echo: " + asked.split(b"\r\n")[0] + b"\r\n\r\n" + asked)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_that_refuses_tells_no_secret(run_both: Runs, variable: str) -> None:
    """The proxy's password stays in the environment, though the proxy repeats what it got."""
    handler: Handler = _refuses_to_connect
    with in_background(lambda: listening(handler)) as port:
        proxy = {variable: f"http://somebody:{PROXY_PASSWORD}@127.0.0.1:{port}"}
        runs = run_both(profile("https://api.invalid"), **proxy)

    assert_silent(runs, 69, "somebody")
    assert all(f"proxy 127.0.0.1:{port}" in ended.stderr for ended in runs)


def test_an_unusable_proxy_tells_no_secret(run_both: Runs) -> None:
    """An address that is none may still hold a password."""
    proxy = {"HTTPS_PROXY": f"gopher://somebody:{PROXY_PASSWORD}@proxy.invalid"}

    assert_silent(run_both(profile("https://api.invalid"), **proxy), 78, "somebody")


def test_the_real_command_tells_no_secret(tmp_path: Path) -> None:
    """The same as a process of its own, to its very end."""
    with in_background(lambda: serving(_novel)) as port:
        (tmp_path / "p.toml").write_text(profile(f"http://127.0.0.1:{port}"))
        arguments = ("-p", "p.toml", "-v", "--log-format")
        commands = [Command(*arguments, each, folder=tmp_path, environment={"THE_KEY": KEY}) for each in FORMATS]
        assert_silent([each.end("Hello\n") for each in commands], 76)


@pytest.mark.parametrize("kind", ["file", "credential", "command"])
def test_every_kind_of_reference_is_hidden(run_both: Runs, tmp_path: Path, kind: str) -> None:
    """Wherever the key comes from, a server that repeats it cannot make rt-run repeat it."""
    (tmp_path / "key").write_text(KEY + "\n")
    reference = {
        "file": '{ file = "key" }',
        "credential": '{ credential = "key" }',
        "command": '{ command = ["cat", "key"], timeout_s = 120 }',
    }[kind]
    auth = f'kind = "api-key"\napi_key = {reference}'
    with in_background(lambda: serving(_fatal)) as port:
        runs = run_both(profile(f"http://127.0.0.1:{port}", auth=auth), CREDENTIALS_DIRECTORY=str(tmp_path))

    assert_silent(runs, 77)


@pytest.mark.parametrize(
    "stray",
    [
        'api_key = { file = "key", note = "WORD" }',
        'api_key = "WORD"',
        'api_key = { env = "WORD!" }',
        'api_key = ["WORD"]',
        'api_key = { value = "WORD" }',
        'key = "WORD"',
        'api_key = "WORD',
        'api_key = { env = "A" }\ntoken = "WORD"\nkind = "none"',
    ],
)
def test_a_literal_secret_is_never_shown(
    tmp_path: Path, stray: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret typed into a profile is refused by every command, in every form of its report, unseen."""
    monkeypatch.chdir(tmp_path)
    auth = 'kind = "api-key"\n' + stray.replace("WORD", LITERAL)
    (tmp_path / "p.toml").write_text(profile("https://api.invalid", auth=auth))
    for arguments in (
        ["check", "p.toml"],
        ["check", "p.toml", "--output", "json"],
        ["check", "p.toml", "--output", "github"],
        ["show", "p.toml"],
        ["show", "p.toml", "--request"],
        ["show", "p.toml", "--output", "json"],
        ["-v", "-p", "p.toml"],
        ["-v", "--log-format", "json", "-p", "p.toml"],
    ):
        assert rt_run(arguments) == 78
        said = capsys.readouterr()
        assert "p.toml" in said.out + said.err
        assert LITERAL not in said.out + said.err


@pytest.mark.parametrize("way", ["set", "environment", "header", "proxy", "parent"])
def test_a_literal_secret_from_elsewhere_is_never_shown(
    tmp_path: Path, way: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the command line, in `RT_RUN_…`, in a header, in a proxy's address, in a parent."""
    monkeypatch.chdir(tmp_path)
    more = {
        "header": f'headers = {{ Authorization = "Bearer {LITERAL}" }}',
        "proxy": f'proxy = "http://somebody:{LITERAL}@proxy.invalid"',
    }.get(way, "")
    auth = f'kind = "api-key"\napi_key = "{LITERAL}"' if way == "parent" else 'kind = "none"'
    (tmp_path / "p.toml").write_text(profile("https://api.invalid", auth=auth, more=more))
    (tmp_path / "child.toml").write_text('version = 1\nextends = "p.toml"\n')
    if way == "environment":
        monkeypatch.setenv("RT_RUN_AUTH__API_KEY", LITERAL)
    sets = ["--set", f"auth.api_key={LITERAL}"] if way == "set" else []
    for arguments in (
        ["check", "child.toml", *sets],
        ["check", "child.toml", "--output", "json", *sets],
        ["show", "child.toml", *sets],
        ["-v", *sets, "-p", "child.toml"],
    ):
        assert rt_run(arguments) == 78
        said = capsys.readouterr()
        assert LITERAL not in said.out + said.err


def test_what_show_prints_holds_references_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`show` and `show --request` name the variable and the header, and resolve nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THE_KEY", KEY)
    monkeypatch.setenv("HTTPS_PROXY", f"http://somebody:{PROXY_PASSWORD}@proxy.invalid")
    (tmp_path / "p.toml").write_text(profile("https://api.invalid"))
    said = ""
    for arguments in (["show", "p.toml"], ["show", "p.toml", "--request"], ["show", "p.toml", "--output", "json"]):
        assert rt_run(arguments) == 0
        captured = capsys.readouterr()
        said += captured.out + captured.err

    assert "THE_KEY" in said
    assert "Authorization" in said
    assert KEY not in said
    assert PROXY_PASSWORD not in said


@pytest.mark.anyio
async def test_the_outcome_of_a_run_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be reported days later, when nothing remembers the token that the endpoint's words repeat."""
    monkeypatch.setenv("THE_KEY", KEY)
    async with serving(_fatal) as (port, _):
        (tmp_path / "p.toml").write_text(profile(f"http://127.0.0.1:{port}") + '[input]\nkind = "none"\n')
        (outcome,) = await run_profiles([load_profile(str(tmp_path / "p.toml"))])

    assert isinstance(outcome.error, AccessRefused)
    assert str(outcome.error) == outcome.error.message == "Incorrect API key provided: [hidden]"


@pytest.mark.parametrize("form", FORMATS)
def test_a_bug_of_our_own_is_traced_without_secrets(
    tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback of an internal error is complete, its messages, causes and groups redacted."""

    async def broken(*_arguments: object, **_options: object) -> None:
        await anyio.lowlevel.checkpoint()
        redaction.hide(KEY)
        cause = KeyError({"Authorization": f"Bearer {KEY}"})
        msg = f"Bearer {KEY}"
        raise ExceptionGroup(msg, [ValueError(KEY.encode())]) from cause

    monkeypatch.setattr(run_command, "run_profiles", broken)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text(profile("https://api.invalid"))

    assert rt_run(["-v", "--log-format", form, "-p", "p.toml"]) == 70
    said = capsys.readouterr().err
    assert "internal_error" in said
    assert "Bearer [hidden]" in said
    assert not told(KEY, Ended(70, "", said.replace("Traceback", "")))


@pytest.mark.parametrize("form", FORMATS)
def test_every_value_of_a_log_line_is_redacted(form: Any) -> None:
    """Nested, as a key, as an object's own words, as bytes, and where one secret begins like another."""
    stream = io.StringIO()
    logs.configure(level="debug", format=form, stream=stream)
    redaction.hide(KEY)
    redaction.hide("made-up")
    redaction.hide("made-up-and-longer")

    class Holder:
        def __repr__(self) -> str:
            return f"Holder({KEY!r})"

    log = logs.logger().bind(bound=[KEY])
    log.info(f"event {KEY}", nested={KEY: ({KEY}, [f"x{KEY}x"])}, holder=Holder(), raw=KEY.encode(), quoted=repr(KEY))
    log.info("second", word="made-up-and-longer", address=Path(KEY))

    written = stream.getvalue()
    assert KEY not in written
    assert "made-up" not in written
    assert "-and-longer" not in written
    assert "of-a-test" not in written


@pytest.mark.parametrize("text", ["no\n12:00:00 [info] forged\x1b[2J\x9b1m\r", "\x1b]0;title\x07"])
def test_lines_for_people_cannot_rewrite_their_terminal(text: str) -> None:
    """What an endpoint says stays on one line and holds no control characters."""
    stream = io.StringIO()
    logs.configure(format="console", stream=stream)
    logs.logger().warning("error_reported", error=text)

    line, rest = stream.getvalue().split("\n")
    assert (line.isprintable(), rest) == (True, "")


@pytest.mark.parametrize(("secret", "hidden"), [("", False), ("abc", False), ("abcd", True)])
def test_what_is_too_short_to_be_a_secret_hides_nothing(secret: str, *, hidden: bool) -> None:
    """A word of three letters would mask half of every line."""
    redaction.hide(secret)

    assert (redaction.redact("abcd") == "[hidden]") is hidden


def test_renewed_credentials_do_not_pile_up() -> None:
    """The latest of a slot and what it has replaced lately are hidden; whatever was replaced before is forgotten."""
    now_s = 0.0
    secrets = redaction.Secrets(lambda: now_s)
    secrets.hide("made-up-key-for-good")
    held = []

    for number in range(10_000):
        now_s += 0.75 * redaction.GRACE_S
        secrets.hide(f"made-up-token-{number:05}", "the reference")
        held.append(len(secrets.spellings))

    assert max(held) == 4
    assert set(secrets.spellings) == {
        "made-up-key-for-good",
        *(f"made-up-token-{each:05}" for each in (9997, 9998, 9999)),
    }


def test_a_secret_in_use_stays_hidden_however_often_its_slot_is_renewed() -> None:
    """Connections use it in their blocks, and slots as their latest; it is forgotten after the last of them."""
    now_s = 0.0
    secrets = redaction.Secrets(lambda: now_s)

    def later() -> list[str]:
        nonlocal now_s
        now_s += redaction.GRACE_S + 1
        secrets.hide(f"made-up-other-{now_s}", "another slot")
        return sorted(each for each in secrets.spellings if "token" in each)

    secrets.hide("made-up-token-1", "slot")
    with secrets.hidden(["made-up-token-1"]):
        with secrets.hidden(["made-up-token-1", "abc"]):
            secrets.hide("made-up-token-2", "slot")
            assert later() == ["made-up-token-1", "made-up-token-2"]
        assert later() == ["made-up-token-1", "made-up-token-2"]
    assert later() == ["made-up-token-2"]
    secrets.hide("made-up-token-2", "a second slot")
    secrets.hide("made-up-token-3", "slot")
    secrets.hide("made-up-token-3", "slot")
    assert later() == ["made-up-token-2", "made-up-token-3"]
    secrets.hide("made-up-token-3", "a second slot")
    assert later() == ["made-up-token-3"]


def test_environment_of_these_tests_is_their_own() -> None:
    """The words looked for are made up, so that nothing else can bring them here."""
    assert not any(word in value for word in (KEY, PROXY_PASSWORD, QUERY, LITERAL) for value in os.environ.values())
