"""rt-run as PID 1, as in a container: the kernel drops every signal that a PID 1 has no handler for."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.helpers.command_process import Ended, profile
from tests.helpers.peer import Peer, serving

PROFILE = """
[endpoint]
kind = "custom"
base_url = "http://127.0.0.1:{port}/v1"
[model]
name = "test"
[[outputs]]
kind = "stdout"
[[outputs]]
kind = "transcript"
path = "said.jsonl"
[run]
until = "signal"
"""
TIMEOUT_S = 150.0
"""When a process that should have ended is killed, which no exit code in these tests is."""


@functools.cache
def _namespace() -> tuple[str, ...] | str:
    """The command that starts a PID namespace here, or why there is none."""
    if shutil.which("unshare") is None:
        return "there is no unshare(1) here"
    problem = ""
    for more in ((), ("--user", "--map-root-user")):
        command = ("unshare", *more, "--pid", "--fork", "--mount-proc", "--kill-child")
        tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return command
        problem = problem or tried.stderr.strip()
    return f"no PID namespace here: {problem}"


@pytest.fixture(autouse=True)
def _skip_without_namespace() -> None:
    if isinstance(problem := _namespace(), str):
        pytest.skip(problem)


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the server here; the command chooses its own."""
    return "asyncio"


class Init:
    """rt-run as the first process of a PID namespace.

    Args:
        arguments: Its command line.
        folder: Its working directory.
    """

    def __init__(self, *arguments: str, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COVERAGE_")}
        self.process = subprocess.Popen(
            [*_namespace(), sys.executable, "-m", "runner", *arguments],
            cwd=folder,
            env={**kept, "HOME": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._guard = threading.Timer(TIMEOUT_S, self.process.kill)
        self._guard.start()

    @functools.cached_property
    def pid(self) -> int:
        """Its process id, as seen from outside its namespace."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        while not (found := children.read_text().split()):
            time.sleep(0.001)
        return int(found[0])

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, as a container engine does: from outside the namespace."""
        os.kill(self.pid, number)

    def wait_for_main(self) -> None:
        """Wait until its own handlers are set; before that the kernel drops SIGTERM, and SIGINT is Python's."""
        while True:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
            caught = next(line for line in lines if line.startswith("SigCgt:"))
            name = next(line for line in lines if line.startswith("Name:"))
            # Until the exec, this is unshare with handlers of its own.
            if "unshare" not in name and int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
                return
            time.sleep(0.001)

    def say(self, line: str) -> None:
        """Write a line to its standard input, which stays open."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def end(self) -> Ended:
        """Wait for its end; its standard input stays open until then."""
        self.process.wait()
        out, err = self.process.communicate()
        self._guard.cancel()
        return Ended(self.process.returncode, out.decode(), err.decode())


@pytest.mark.anyio
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_a_signal_in_mid_answer_drains(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """The answer in flight finishes, the transcript is complete, the server sees close 1000."""
    speaking, stopped = anyio.Event(), anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("one ", end=False)
        speaking.set()
        await stopped.wait()
        await anyio.sleep(0.3)
        ids = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0, "event_id": "e"}
        await peer.send({"type": "response.output_text.delta", "delta": "two", **ids})
        await peer.end("one two")
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        init = Init("--profile", profile(tmp_path, PROFILE.format(port=port)), folder=tmp_path)
        init.say("Count to two")
        with anyio.fail_after(TIMEOUT_S):
            await speaking.wait()
        init.send_signal(number)
        stopped.set()
        ended = await anyio.to_thread.run_sync(init.end)

    said = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    assert (ended.code, ended.stdout) == (code, "one two\n")
    assert [(line["role"], line["text"], line["status"]) for line in said] == [
        ("user", "Count to two", "completed"),
        ("assistant", "one two", "completed"),
    ]
    assert [peer.close_code for peer in peers] == [1000]


@pytest.mark.no_cover  # coverage saves in the handler that ends a process, and may be in the middle of something
@pytest.mark.parametrize("delay_ms", [0, 20, 50, 100, 150, 200, 300, 400, 600])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_one_signal_during_start_up_is_enough(tmp_path: Path, number: signal.Signals, code: int, delay_ms: int) -> None:
    """From its first line of Python on, no signal is lost: while importing, reading, connecting, opening."""
    text = '[endpoint]\nkind = "local"\n[run]\nuntil = "signal"\n'
    init = Init("--profile", profile(tmp_path, text), folder=tmp_path)
    init.wait_for_main()
    time.sleep(0.001 + delay_ms / 1000)
    init.send_signal(number)
    ended = init.end()

    assert ended.code == code, ended.stderr


@pytest.mark.parametrize(
    ("number", "arguments", "code"),
    [
        (signal.SIGTERM, ["rt-run", "--profile", "x"], 0),
        (signal.SIGTERM, ["rt-run", "check", "x"], 128 + signal.SIGTERM),
        (signal.SIGINT, ["rt-run", "--profile", "x"], 128 + signal.SIGINT),
    ],
)
def test_no_import_can_swallow_a_signal(number: signal.Signals, arguments: list[str], code: int) -> None:
    """The handler of the start ends the process itself: an exception would be lost in an extension or a callback."""
    script = f"""
import os, signal, sys
sys.argv = {arguments!r}
import runner.__main__
try:
    os.kill(os.getpid(), {int(number)})
    signal.sigtimedwait([], 0.1)
except BaseException:
    pass
print("survived")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.anyio
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_while_the_endpoint_keeps_silent_ends_the_start(tmp_path: Path, number: signal.Signals) -> None:
    """A configuration that nobody confirms holds up no stop."""
    asked = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.send({"type": "session.created", "event_id": "e1", "session": {"id": "s", "type": "realtime"}})
        await peer.until("session.update")
        asked.set()
        await peer.to_the_end()

    async with serving(script) as (port, _):
        init = Init("--profile", profile(tmp_path, PROFILE.format(port=port)), folder=tmp_path)
        with anyio.fail_after(TIMEOUT_S):
            await asked.wait()
        init.send_signal(number)
        ended = await anyio.to_thread.run_sync(init.end)

    assert ended.code == (0 if number == signal.SIGTERM else 130)


def test_a_second_signal_forces(tmp_path: Path) -> None:
    """The default action is not there to end a PID 1 that is asked twice; rt-run ends itself."""
    text = '[endpoint]\nkind = "local"\ndelta_interval_ms = 2000\n[session]\noutput_modalities = ["text"]\n'
    text += "[run]\ngrace_s = 1000\n"
    init = Init("--profile", profile(tmp_path, text), folder=tmp_path)
    init.say("one two three four five six")
    assert init.process.stdout
    init.process.stdout.read(1)
    init.send_signal(signal.SIGTERM)
    assert init.process.stderr
    while b"signal_received" not in init.process.stderr.readline():
        pass
    init.send_signal(signal.SIGTERM)

    assert init.end().code == 128 + signal.SIGTERM
