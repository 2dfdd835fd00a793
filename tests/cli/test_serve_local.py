"""`rt-run serve-local`, as a process that other clients connect to."""

import signal
from pathlib import Path

import pytest

from tests.lifecycle.command import Command, profile


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


def test_a_taken_port_is_told(tmp_path: Path) -> None:
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
