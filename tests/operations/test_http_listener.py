"""The HTTP listener of a real process, over TCP."""

import json
import signal
import socket
from pathlib import Path

import httpx
import pytest

from runner.operations.http_listener import MAX_CONNECTIONS
from tests.helpers.command_process import Command, profile

SERVED = """
[endpoint]
kind = "local"
[input]
kind = "none"
[run]
until = "signal"
sessions = 2
[http]
listen = "127.0.0.1:{port}"
"""


def started(folder: Path) -> tuple[Command, str]:
    """A command that is open, and where it answers."""
    command = Command("--profile", profile(folder, SERVED.format(port=0)), "--log-format", "json", folder=folder)
    listen = ""
    opened = 0
    assert command.process.stderr
    while opened < 2:
        line = json.loads(command.process.stderr.readline())
        listen = line.get("listen", listen)
        opened += line["event"] == "session_opened"
    return command, f"http://{listen}"


def test_a_process_answers_whoever_watches_it(tmp_path: Path) -> None:
    """Health by path, to so many at a time; an address that is taken ends the next process before it connects."""
    command, url = started(tmp_path)
    host, _, port = url.removeprefix("http://").partition(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(MAX_CONNECTIONS)]
    for each in silent:
        each.sendall(b"GET /livez HTTP/1.1\r\n")
    with pytest.raises(httpx.TimeoutException):
        httpx.get(f"{url}/livez", timeout=0.3)
    silent.pop().close()
    answers = {path: httpx.get(f"{url}{path}") for path in ("/livez", "/readyz", "/")}
    head, post = httpx.head(f"{url}/readyz"), httpx.post(f"{url}/livez")
    upgrade = httpx.get(f"{url}/livez", headers={"connection": "upgrade", "upgrade": "websocket"})
    taken = Command("--profile", profile(tmp_path, SERVED.format(port=port), name="taken"), folder=tmp_path).end()
    command.send_signal(signal.SIGTERM)
    ended = command.end()
    for each in silent:
        each.close()

    assert {path: (each.status_code, each.text) for path, each in answers.items()} == {
        "/livez": (200, "ok\n"),
        "/readyz": (200, "ok\n"),
        "/": (404, "/livez, /readyz and /metrics\n"),
    }
    assert (head.status_code, head.text, post.status_code) == (200, "", 405)
    assert upgrade.is_client_error
    assert (taken.code, taken.logged("run_failed")["error"]) == (
        74,
        f"cannot listen on 127.0.0.1:{port}: Address already in use",
    )
    assert ended.code == 0


def test_two_profiles_say_the_same_of_the_listener(tmp_path: Path) -> None:
    """A process has one."""
    names = [profile(tmp_path, SERVED.format(port=port), name=f"p{port}") for port in (1, 2)]
    ended = Command("-p", names[0], "-p", names[1], folder=tmp_path).end()

    assert ended.code == 78
    assert "[http], and a process has one HTTP listener" in ended.stderr
