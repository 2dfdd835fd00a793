"""`rt-run serve-local`, as a process that other clients connect to."""

import resource
import signal
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from runner.cli.fault_flags import with_faults
from runner.cli.main import run
from runner.settings.endpoint import LocalEndpoint
from runner.settings.faults import BinaryFault, CloseFault, DriftFault, DropFault, RefuseFault
from tests.helpers.command_process import Command, profile
from tests.helpers.local_client import PATIENCE_S, dial
from tests.helpers.transport_peers import make_pki


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    """A profile of the local endpoint with a script."""
    text = '[endpoint]\nkind = "local"\nscript = [{ match = "2\\\\+2", reply = "4" }]\n'
    return profile(tmp_path, text, name="endpoint")


def test_the_runner_is_one_of_its_clients(tmp_path: Path, endpoint: str) -> None:
    """It prints its address, takes its script from a profile, answers, and leaves on SIGTERM with 0."""
    server = Command("serve-local", "--listen", "127.0.0.1:0", "--profile", endpoint, folder=tmp_path)
    assert server.process.stdout
    url = server.process.stdout.readline().decode().strip()
    text = f'[endpoint]\nkind = "custom"\nbase_url = "{url}"\n[model]\nname = "x"\n'
    name = profile(tmp_path, text + '[session]\noutput_modalities = ["text"]\n')
    client = Command("--profile", name, folder=tmp_path).end("What is 2+2?\nHello\n")
    server.send_signal(signal.SIGTERM)
    ended = server.end()

    assert (client.code, client.stdout) == (0, "4\nYou said: Hello\n")
    assert ended.code == 0
    assert ended.logged("endpoint_listening")["simulated"] is True


@pytest.mark.parametrize(
    "listen",
    [
        "0.0.0.0:0",
        "127.0.0.1",
        "127.0.0.1:http",
        "127.0.0.1:70000",
        "example.com:80",
        "localhost.example.com:0",
        "[::1234]:0",
        "::1234:0",
        "",
    ],
)
def test_it_stays_on_this_machine(tmp_path: Path, listen: str) -> None:
    """Only loopback addresses are served, and the message says what is expected."""
    ended = Command("serve-local", "--listen", listen, folder=tmp_path).end()

    assert ended.code == 2
    assert "127.0.0.1:8765" in ended.stderr


def test_with_a_certificate_it_speaks_tls_and_only_with_this_machine(tmp_path: Path) -> None:
    """The address that it prints says so; a page from elsewhere is refused before there is a session."""
    pki = make_pki(tmp_path)
    files = ("--tls-cert", str(tmp_path / "server.crt"), "--tls-key", str(tmp_path / "server.key"))
    server = Command("serve-local", "--listen", "127.0.0.1:0", *files, folder=tmp_path)
    assert server.process.stdout
    url = server.process.stdout.readline().decode().strip()
    allowed, most = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    trust = ssl.create_default_context(cafile=pki.authority)
    address = f"wss://localhost:{url.removesuffix('/v1').rpartition(':')[2]}/v1/realtime?model=m"
    with connect(address, ssl=trust, origin=Origin("https://localhost:3000")) as socket:
        assert '"session.created"' in str(socket.recv(timeout=PATIENCE_S))
    with pytest.raises(InvalidStatus) as refused:
        connect(address, ssl=trust, origin=Origin("https://evil.example"))
    server.send_signal(signal.SIGTERM)
    ended = server.end()

    assert url.startswith("https://127.0.0.1:")
    assert allowed >= min(16_384, most)
    assert refused.value.response.status_code == 403
    assert ended.logged("stranger_refused")["header"] == "Origin"
    assert ended.code == 0


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("--tls-key", "server.key"), "there is no certificate"),
        (("--tls-cert", "missing.pem"), "No such file"),
        (("--tls-cert", "server.crt"), "server.crt: "),
        (("--tls-cert", "server.crt", "--tls-key", "client.key"), "server.crt with client.key: "),
        (("--tls-cert", "server.locked.pem"), "without a password"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_reported(
    files: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before it listens, without asking for a password."""
    make_pki(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert run(["serve-local", "--listen", "127.0.0.1:0", *files]) == 2
    assert words in capsys.readouterr().err


def test_a_taken_port_is_reported(tmp_path: Path) -> None:
    """The second server on a port says so."""
    first = Command("serve-local", "--listen", "127.0.0.1:0", folder=tmp_path)
    assert first.process.stdout
    place = first.process.stdout.readline().decode().strip().removeprefix("http://").removesuffix("/v1")
    second = Command("serve-local", "--listen", place, folder=tmp_path).end()
    first.send_signal(signal.SIGINT)

    assert first.end().code == 130
    assert second.code == 2
    assert f"cannot listen on {place}" in second.stderr


def test_a_profile_without_a_local_endpoint_is_refused(tmp_path: Path) -> None:
    """Nothing of another endpoint could be served here."""
    name = profile(tmp_path, '[endpoint]\nkind = "openai"\n[model]\nname = "gpt-realtime-2"\n')

    ended = Command("serve-local", "--profile", name, folder=tmp_path).end()

    assert ended.code == 2
    assert "kind openai" in ended.stderr


def test_flags_before_the_command_hold(tmp_path: Path) -> None:
    """`--profiles-dir` and `--set` find and change the profile that is served."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/foo.toml").write_text('version = 1\n[endpoint]\nkind = "local"\n')
    before = ("--profiles-dir", "mine", "--set", "endpoint.delta_interval_ms=-1")
    ended = Command(*before, "serve-local", "--listen", "127.0.0.1:0", "--profile", "foo", folder=tmp_path).end()

    assert ended.code == 78
    assert "--set endpoint.delta_interval_ms" in ended.stderr


def test_faults_of_the_command_line_happen(tmp_path: Path) -> None:
    """They come after those of the profile, and are logged."""
    text = '[endpoint]\nkind = "local"\nfaults = [{ kind = "close", code = 4001, after_events = 1 }]\n'
    flags = ("--profile", profile(tmp_path, text), "--fault", "kind=close,code=4002,after_events=1")
    server = Command("serve-local", "--listen", "127.0.0.1:0", *flags, folder=tmp_path)
    assert server.process.stdout
    port = int(server.process.stdout.readline().decode().strip().removesuffix("/v1").rpartition(":")[2])
    codes = []
    for _ in range(2):
        with dial(port) as socket:
            socket.recv(timeout=PATIENCE_S)
            with pytest.raises(ConnectionClosed) as caught:
                socket.recv(timeout=PATIENCE_S)
            assert caught.value.rcvd
            codes.append(caught.value.rcvd.code)
    server.send_signal(signal.SIGTERM)
    injected = [each for each in server.end().log if each["event"] == "fault_injected"]

    assert codes == [4001, 4002]
    assert [(each["kind"], each["connection"]) for each in injected] == [("close", 1), ("close", 2)]


@pytest.mark.parametrize(
    ("flag", "fault"),
    [
        ("kind=drop", DropFault(kind="drop")),
        ("kind = drop , after_events = 5, times=0", DropFault(kind="drop", after_events=5, times=0)),
        ('kind="binary",after_s=1.5', BinaryFault(kind="binary", after_s=1.5)),
        ("kind=close,code=1013,reason=don't go", CloseFault(kind="close", code=1013, reason="don't go")),
        (
            "kind=refuse,code=429,message='a, b',status=429",
            RefuseFault(kind="refuse", code="429", message="a, b", status=429),
        ),
        (
            'kind=drift,settings={ audio.output.voice = "a, b", tools = [1, 2] },chance=0.5',
            DriftFault(kind="drift", settings={"audio": {"output": {"voice": "a, b"}}, "tools": [1, 2]}, chance=0.5),
        ),
    ],
)
def test_faults_as_flags(flag: str, fault: Any) -> None:
    """Values are TOML or bare words; commas within strings, arrays and tables belong to them."""
    assert with_faults(LocalEndpoint(kind="local"), [flag]).faults == [fault]


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("drop", "--fault drop: must be KEY=VALUE"),
        ("", "must be KEY=VALUE"),
        ("kind=drop,", "must be KEY=VALUE"),
        ("times=1", 'kind: is missing: "refuse", "delay"'),
        ("kind=drpo", 'did you mean "drop"?'),
        ("kind=drop,tims=1", "tims: unknown key\n  hint: did you mean times?"),
        ("kind=drop,status=401", 'only "refuse" takes it'),
        ("kind=drop,after_events=soon", "after_events: must be"),
        ("kind=drop,after_events=1,after_s=1", "after_events and after_s exclude each other"),
        ("kind=drop,times=1,times=2", "times: said twice"),
        ("kind=drift,settings={ voice = 'x'", "settings: neither a TOML value nor a word"),
        ("kind=delay", "delay_s: is missing"),
    ],
)
def test_wrong_faults_are_reported(rt_run: Any, flag: str, message: str) -> None:
    """One message names the key and what may stand there; nothing is served."""
    ended = rt_run("serve-local", "--listen", "127.0.0.1:0", "--fault", flag)

    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert ended.err.count("rt-run:") == 1


def test_two_signals_at_once_end_it_all_the_same(tmp_path: Path) -> None:
    """Without a traceback, whenever the second comes."""
    for pause_s in (0.0, 0.002, 0.02):
        command = Command("serve-local", "--listen", "127.0.0.1:0", folder=tmp_path)
        command.read(len("http://127.0.0.1"))
        command.send_signal(signal.SIGINT)
        time.sleep(pause_s)
        command.send_signal(signal.SIGINT)

        assert command.end().code == 130


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--speed", "3"], "there is no journal"),
        (["--journal", "x", "--fault", "kind=drop"], "exclude each other"),
        (["--set", "endpoint.delta_interval_ms=1"], "no profile whose value"),
    ],
)
def test_flags_that_would_do_nothing_are_refused(tmp_path: Path, arguments: list[str], message: str) -> None:
    """Whoever writes them expects something of them."""
    ended = Command("serve-local", "--listen", "127.0.0.1:0", *arguments, folder=tmp_path).end()

    assert ended.code == 2
    assert message in ended.stderr
