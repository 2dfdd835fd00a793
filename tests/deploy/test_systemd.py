"""The unit under a real systemd, which runs in namespaces of its own where there is a test bed for that."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.controlled_runs import obliging
from tests.helpers.endpoint_scripts import reached, told
from tests.helpers.peer import Peer, refusal, serving

UNIT = REPOSITORY / "deploy" / "systemd" / "rt-run@.service"
BEDS = Path(os.environ.get("TEST_BEDS", REPOSITORY.parent / "shared" / "tools"))
"""Where scripts that provide a systemd of their own may be."""
WORST_EXPOSURE = 15
"""What `systemd-analyze security` may say at most, in tenths: 0 is no exposure at all, 100 all there is."""
WAIT_S = 150.0

CUSTOM = """
version = 1
[endpoint]
kind = "custom"
base_url = "http://127.0.0.1:{port}/v1"
[model]
name = "test"
[[outputs]]
kind = "stdout"
[[outputs]]
kind = "transcript"
path = "/var/lib/rt-run/{{profile}}/said.jsonl"
[run.reconnect]
max_attempts = 0
"""

pytestmark = [pytest.mark.timeout(300), pytest.mark.long, pytest.mark.no_cover]
"""Whichever test is the first installs rt-run in the test bed, which all of them share."""
analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the server here; the command chooses its own."""
    return "asyncio"


@analyze
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """A key that systemd does not know is a warning only, and it would be ignored: there must be none."""
    text = UNIT.read_text().replace("/opt/rt-run/bin/rt-run", shutil.which("true") or "/bin/true")
    (tmp_path / UNIT.name).write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "rt-run@support.service")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


@analyze
def test_the_unit_exposes_little() -> None:
    """What systemd can take away from a program that only talks to the network is taken away."""
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={WORST_EXPOSURE}", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert judged.returncode == 0, judged.stdout + judged.stderr


@functools.cache
def _why_not() -> str:
    if not (BEDS / "systemd_box_host.sh").exists():
        return "there is no test bed with a systemd of its own here"
    if os.geteuid() != 0:
        return "a systemd of its own needs root"
    if not Path("/lib/systemd/systemd").exists():
        return "there is no systemd here"
    return ""


class Box:
    """A running systemd with rt-run in /opt/rt-run.

    Args:
        state: The test bed's folder.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self.root = state / "ovl" / "m"

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command inside; returns its output."""
        done = subprocess.run(
            [str(BEDS / "systemd_box.sh"), "exec", str(self._state), "env", "--chdir=/", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def install(self, name: str, profile: str, *, drop_in: str = "") -> str:
        """Write a profile and a drop-in of its instance; returns the unit's name."""
        unit = f"rt-run@{name}.service"
        folder = self.root / "etc" / "systemd" / "system" / f"{unit}.d"
        folder.mkdir(parents=True)
        (folder / "test.conf").write_text(drop_in)
        profiles = self.root / "etc" / "rt-run" / "profiles"
        profiles.mkdir(parents=True, exist_ok=True)
        (profiles / f"{name}.toml").write_text(profile)
        self.run("systemctl", "daemon-reload")
        return unit

    def show(self, unit: str) -> dict[str, str]:
        """The unit's properties."""
        lines = self.run("systemctl", "show", unit).splitlines()
        return dict(line.partition("=")[::2] for line in lines)

    async def until(self, unit: str, **properties: str) -> dict[str, str]:
        """Wait until the unit's properties match these regular expressions; returns all of them."""
        deadline_s = time.monotonic() + WAIT_S
        while True:
            shown = await anyio.to_thread.run_sync(self.show, unit)
            if all(re.fullmatch(value, shown[name]) for name, value in properties.items()):
                return shown
            assert time.monotonic() < deadline_s, f"{properties} did not come; {self.told(unit, shown)}"
            await anyio.sleep(0.05)

    def told(self, unit: str, shown: dict[str, str]) -> str:
        """What there is to know about a unit that does not do what it should."""
        names = ("ActiveState", "SubState", "Result", "ExecMainCode", "ExecMainStatus", "NRestarts", "StatusText")
        journal = self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit, check=False)
        return f"{ {name: shown.get(name) for name in names} }\n{journal}"

    async def systemctl(self, *arguments: str) -> None:
        """Run systemctl, while servers here go on."""
        await anyio.to_thread.run_sync(lambda: self.run("systemctl", *arguments))

    def said(self, name: str) -> list[tuple[str, str]]:
        """The text and status of each assistant's turn in an instance's transcript."""
        lines = (self.root / "var" / "lib" / "private" / "rt-run" / name / "said.jsonl").read_text().splitlines()
        turns = map(json.loads, lines)
        return [(turn["text"], turn["status"]) for turn in turns if turn["role"] == "assistant"]


def _install(box: Box, wheel: str) -> None:
    """Make /opt/rt-run; bytecode is made by the first run, of what is imported only."""
    version = box.run("/usr/bin/python3", "-c", "import sysconfig; print(sysconfig.get_python_version())")
    if version != sysconfig.get_python_version():
        pip = ("/opt/rt-run/bin/pip", "install", "--quiet", "--no-compile")
        box.run("/usr/bin/python3", "-m", "venv", "--copies", "/opt/rt-run")
        box.run(*pip, "--require-hashes", "-r", "/usr/src/rt-run/requirements/run.txt")
        box.run(*pip, "--no-deps", wheel)
        return
    # What is installed here is what pip would download again, which takes it 20 s.
    box.run("/usr/bin/python3", "-m", "venv", "--copies", "--without-pip", "/opt/rt-run")
    packages = box.root / "opt" / "rt-run" / "lib" / f"python{version}" / "site-packages"
    locked = re.findall(r"^([\w.-]+)(?:\[.*\])?==", (REPOSITORY / "requirements" / "run.txt").read_text(), re.MULTILINE)
    for name in [*locked, "installer"]:
        with suppress(PackageNotFoundError):  # locked for another system or Python
            for file in distribution(name).files or ():
                if ".." not in file.parts and file.suffix != ".pyc":
                    (packages / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file.locate(), packages / file)
    box.run("/opt/rt-run/bin/python", "-m", "installer", "--no-compile-bytecode", wheel)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A systemd that shares the machine's loopback, with rt-run installed as docs/operations.md says, from a wheel."""
    if problem := _why_not():
        pytest.skip(problem)
    state = tmp_path_factory.mktemp("systemd")
    bed = str(BEDS / "systemd_box_host.sh")
    started = subprocess.run(
        [bed, "start", str(state)],
        env={**os.environ, "RTBOX_NET": "host"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        running = Box(state)
        source = running.root / "usr" / "src" / "rt-run"
        shutil.copytree(REPOSITORY / "requirements", source / "requirements")
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(source)],
            cwd=REPOSITORY,
            env={**os.environ, "HATCH_BUILD_NO_HOOKS": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        (wheel,) = source.glob("*.whl")
        _install(running, f"/usr/src/rt-run/{wheel.name}")
        running.run("/opt/rt-run/bin/rt-run", "--quiet", "--profile", "local", "--ask", "Hello")
        shutil.copy(UNIT, running.root / "etc" / "systemd" / "system")
        yield running
    finally:
        subprocess.run([bed, "stop", str(state)], capture_output=True, check=False)


@asynccontextmanager
async def refusing(status: str) -> AsyncIterator[tuple[int, list[str]]]:
    """Answer every handshake with an HTTP status; yields the port and the requests so far."""
    requests: list[str] = []

    async def handle(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            requests.append((await stream.receive()).decode())
            await stream.send(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # not Django's
        yield port, requests
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_a_unit_is_active_when_its_session_is_configured(box: Box) -> None:
    """What is ordered after the unit may rely on the session; nothing on standard input does not end it."""
    asked, go_on = anyio.Event(), anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.send({"type": "session.created", "event_id": "e1", "session": {"id": "sess_1", "type": "realtime"}})
        update = await peer.until("session.update")
        asked.set()
        await go_on.wait()
        await peer.send({"type": "session.updated", "event_id": "e2", "session": {"id": "sess_1", **update["session"]}})
        await peer.to_the_end()

    async with serving(script) as (port, peers):
        unit = box.install("slow", CUSTOM.format(port=port))
        await box.systemctl("start", "--no-block", unit)
        with anyio.fail_after(WAIT_S):
            await asked.wait()
        await anyio.sleep(0.5)
        before = box.show(unit)
        go_on.set()
        after = await box.until(unit, ActiveState="active")
        await anyio.sleep(0.5)
        later = box.show(unit)
        await box.systemctl("stop", unit)
        stopped = box.show(unit)

    assert (before["ActiveState"], before["StatusText"]) == ("activating", "connecting")
    assert after["StatusText"] == "open, 0 answers"
    assert later["ActiveState"] == "active"
    assert (stopped["ActiveState"], stopped["Result"], stopped["ExecMainStatus"]) == ("inactive", "success", "0")
    assert [peer.close_code for peer in peers] == [1000]


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "limit"), [("drain", ""), ("extend", "TimeoutStopSec=1s\n")])
async def test_stop_in_mid_answer_drains(box: Box, name: str, limit: str) -> None:
    """The answer finishes and is written, also where the unit's time to stop is shorter than the profile's grace."""
    speaking = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("one ", end=False)
        speaking.set()
        await anyio.sleep(3)
        await peer.end("one two")
        await peer.to_the_end()

    drop_in = f"[Service]\nStandardInput=data\nStandardInputText=Count to two\n{limit}"
    async with serving(script) as (port, peers):
        unit = box.install(name, CUSTOM.format(port=port), drop_in=drop_in)
        await box.systemctl("start", unit)
        with anyio.fail_after(WAIT_S):
            await speaking.wait()
        await box.systemctl("stop", unit)
        stopped = box.show(unit)

    assert (stopped["Result"], stopped["ExecMainStatus"]) == ("success", "0"), box.told(unit, stopped)
    assert box.said(name) == [("one two", "completed")]
    assert [peer.close_code for peer in peers] == [1000]


@pytest.mark.anyio
async def test_an_invalid_profile_is_not_tried_again(box: Box) -> None:
    """78 stays failed, until somebody has corrected the profile."""
    unit = box.install("wrong", CUSTOM.format(port=9) + "[sesion]\n", drop_in="[Service]\nRestartSec=100ms\n")
    await box.systemctl("start", "--no-block", unit)
    await box.until(unit, ActiveState="failed")
    await anyio.sleep(0.5)
    failed = box.show(unit)

    assert (failed["ExecMainStatus"], failed["NRestarts"], failed["ActiveState"]) == ("78", "0", "failed")


@pytest.mark.anyio
async def test_a_refused_key_is_not_tried_again_and_comes_from_a_credential(box: Box) -> None:
    """The secret reaches the request's header and nothing else: no environment, no journal; 77 stays failed."""
    secret = "sk-test-" + "x" * 24
    (box.root / "etc" / "rt-run" / "key").write_text(f"{secret}\n")
    (box.root / "etc" / "rt-run" / "key").chmod(0o600)
    auth = '[auth]\nkind = "api-key"\napi_key = { credential = "openai" }\n'
    async with refusing("401 Unauthorized") as (port, requests):
        drop_in = "[Service]\nLoadCredential=openai:/etc/rt-run/key\nRestartSec=100ms\n"
        unit = box.install("refused", CUSTOM.format(port=port) + auth, drop_in=drop_in)
        await box.systemctl("start", "--no-block", unit)
        await box.until(unit, ActiveState="failed")
        await anyio.sleep(0.5)
    failed = box.show(unit)

    assert (failed["ExecMainStatus"], failed["NRestarts"], failed["ActiveState"]) == ("77", "0", "failed")
    assert [f"authorization: bearer {secret}" in request.lower() for request in requests] == [True]
    assert secret not in str(failed)
    assert secret not in box.run("journalctl", "--no-pager", "-o", "verbose", "-u", unit)


@pytest.mark.anyio
async def test_an_unreachable_endpoint_is_tried_again(box: Box) -> None:
    """What may pass is worth a restart."""
    unit = box.install("away", CUSTOM.format(port=9), drop_in="[Service]\nRestartSec=100ms\n")
    await box.systemctl("start", "--no-block", unit)
    deadline_s = time.monotonic() + WAIT_S
    while int((shown := box.show(unit))["NRestarts"]) < 2:
        assert time.monotonic() < deadline_s, box.told(unit, shown)
        await anyio.sleep(0.1)
    await box.systemctl("stop", unit)


@pytest.mark.anyio
async def test_a_hang_is_restarted_and_an_outage_is_not(box: Box) -> None:
    """A process that is stopped proves no life; one whose endpoint is away says so, and lives on."""
    is_away = False
    leave = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.greet()
        await leave.wait()
        if is_away:
            await peer.close(1011, "out of order")
        await peer.to_the_end()

    lasting = CUSTOM.replace("max_attempts = 0", "max_attempts = 1000\ninitial_delay_s = 0.2\nmax_delay_s = 0.2")
    async with serving(script, door=lambda _request: refusal(503) if is_away else None) as (port, _):
        drop_in = "[Service]\nWatchdogSec=5s\nTimeoutAbortSec=100ms\nRestartSec=100ms\n"
        unit = box.install("hung", lasting.format(port=port), drop_in=drop_in)
        await box.systemctl("start", unit)
        first = box.show(unit)
        await box.systemctl("kill", "-s", "STOP", unit)
        restarted = await box.until(unit, NRestarts="1", ActiveState="active")
        is_away = True
        leave.set()
        away = await box.until(unit, StatusText=r"reconnecting, attempt \d+ of 1000: .*503.*")
        await anyio.sleep(1.5)
        later = box.show(unit)
        is_away = False
        back = await box.until(unit, StatusText="open, 0 answers")
        await box.systemctl("stop", unit)

    assert restarted["MainPID"] != first["MainPID"]
    assert [shown["NRestarts"] for shown in (away, later, back)] == ["1"] * 3
    assert {shown["MainPID"] for shown in (away, later, back)} == {restarted["MainPID"]}


TEN = """
version = 1
[endpoint]
kind = "local"
delta_interval_ms = 5
faults = [{ kind = "drop", after_events = 5 }]
[[outputs]]
kind = "stdout"
[run]
sessions = 10
[run.reconnect]
initial_delay_s = 0.01
[logging]
level = "debug"
"""


@pytest.mark.anyio
async def test_the_journal_has_every_line_whole_with_its_priority(box: Box) -> None:
    """Ten sessions log and speak at once: what they log are entries with fields, what they say are lines."""
    drop_in = "[Service]\nStandardInput=data\nStandardInputText=Hello there\nEnvironment=RT_RUN_RUN__UNTIL=input-end\n"
    unit = box.install("ten", TEN, drop_in=drop_in)
    await box.systemctl("start", unit)
    ended = await box.until(unit, ActiveState="inactive")
    entries = [json.loads(line) for line in box.run("journalctl", "-o", "json", "RT_RUN_PROFILE=ten").splitlines()]
    warned = box.run("journalctl", "-o", "json", "RT_RUN_PROFILE=ten", "-p", "warning").splitlines()
    texts = [
        json.loads(line)
        for line in box.run("journalctl", "-o", "json", "_TRANSPORT=stdout", f"_SYSTEMD_UNIT={unit}").splitlines()
    ]

    levels = {"debug": "7", "info": "6", "warning": "4", "error": "3"}
    priorities = {each["RT_RUN_EVENT"]: each["PRIORITY"] for each in entries}
    assert ended["Result"] == "success", box.told(unit, ended)
    assert {each["_TRANSPORT"] for each in entries} == {"journal"}
    assert {each["_SYSTEMD_UNIT"] for each in entries} == {unit}
    assert (priorities["session_opened"], priorities["connection_lost"]) == (levels["info"], levels["warning"])
    assert priorities["connection_opened"] == levels["debug"]
    assert {each["RT_RUN_SESSION"] for each in entries if each["RT_RUN_EVENT"] == "session_closed"} == {
        *map(str, range(1, 11))
    }
    assert all(each["MESSAGE"].startswith(each["RT_RUN_EVENT"]) for each in entries)
    assert 0 < len(warned) < len(entries)
    assert texts
    assert all("You said: " in each["MESSAGE"] for each in texts)


@pytest.mark.anyio
async def test_instances_live_side_by_side(box: Box) -> None:
    """None sees what another writes, and a crash of one is repaired without the other noticing."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.to_the_end()

    async with serving(script) as (port, _):
        other = box.install("other", CUSTOM.format(port=port))
        await box.systemctl("start", other)
        theirs = "/var/lib/rt-run/other/said.jsonl"
        drop_in = f"[Service]\nRestartSec=100ms\nExecStartPre=/usr/bin/test ! -e {theirs}\n"
        one = box.install("one", CUSTOM.format(port=port), drop_in=drop_in)
        await box.systemctl("start", one)
        before = [box.show(unit) for unit in (one, other)]
        box.run("test", "-e", theirs)
        await box.systemctl("kill", "-s", "KILL", one)
        restarted = await box.until(one, NRestarts="1", ActiveState="active")
        untouched = box.show(other)
        await box.systemctl("stop", one, other)

    assert restarted["MainPID"] != before[0]["MainPID"]
    assert (untouched["MainPID"], untouched["NRestarts"]) == (before[1]["MainPID"], "0")


TOOLS = """
version = 1
[endpoint]
kind = "local"
script = [{ match = "look", calls = [{ name = "shell" }, { name = "node" }] }]
[session]
output_modalities = ["text"]
[input]
kind = "question"
question = "look"
[[outputs]]
kind = "transcript"
path = "/var/lib/rt-run/{profile}/said.jsonl"
[[tools]]
name = "shell"
description = "Where a program runs."
run = { kind = "command", argv = ["tools/where"] }
[[tools]]
name = "node"
description = "What Node.js says."
run = { kind = "command", argv = ["node", "-p", "'node ' + 6 * 7"] }
"""


@pytest.mark.anyio
async def test_tools_run_within_the_unit_and_node_with_the_documented_drop_in(box: Box) -> None:
    """A program runs in the unit as it is; an interpreter that compiles what it runs needs one line of a drop-in."""
    if shutil.which("node") is None:
        pytest.skip("there is no Node.js here")
    where = box.root / "etc" / "rt-run" / "profiles" / "tools" / "where"
    where.parent.mkdir(parents=True)
    where.write_text('#!/bin/sh\nif touch /etc/x 2>/dev/null; then echo outside; else echo "within $PWD"; fi\n')
    where.chmod(0o755)
    document = (REPOSITORY / "docs" / "operations.md").read_text()
    drop_in = re.search(r"# tools\n(\[Service\]\n.*?)```", document, re.DOTALL)
    assert drop_in
    once = "[Service]\nEnvironment=RT_RUN_RUN__UNTIL=input-end\nEnvironment=RT_RUN_INPUT__KIND=question\n"

    answers = []
    for name, more in (("hard", ""), ("loose", drop_in[1])):
        unit = box.install(name, TOOLS, drop_in=once + more)
        await box.systemctl("start", "--no-block", unit)
        await box.until(unit, ActiveState="inactive|failed", ExecMainStatus="[0-9]+", SubState="dead|failed")
        answers.append(box.said(name)[-1][0])

    assert "within /var/lib/rt-run/hard" in answers[0] or "within /var/lib/private/rt-run/hard" in answers[0]
    assert "node 42" not in answers[0]
    assert "node 42" in answers[1]


@pytest.mark.anyio
async def test_a_unit_is_reloaded_and_talked_to_while_it_runs(box: Box) -> None:
    """Instructions on the same connection, a model on the next one; a wrong profile changes nothing; root finds it."""
    text = CUSTOM + '[session]\ninstructions = "{instructions}"\n'
    async with serving(obliging) as (port, peers):
        unit = box.install("changing", text.format(port=port, instructions="Be kind"))
        file = box.root / "etc" / "rt-run" / "profiles" / "changing.toml"
        await box.systemctl("start", unit)
        before = box.show(unit)

        def ctl(*words: str) -> str:
            return box.run("/opt/rt-run/bin/rt-run", "ctl", *words)

        listed = await anyio.to_thread.run_sync(ctl)
        await anyio.to_thread.run_sync(ctl, "changing", "say", "Hello")
        file.write_text(text.format(port=port, instructions="Be brief"))
        await box.systemctl("reload", unit)
        await reached(lambda: peers[0].received[-1]["type"] == "session.update")
        in_place = (len(peers), peers[0].received[-1]["session"])
        file.write_text("version = 2\n")
        await box.systemctl("reload", unit)
        await reached(lambda: "reload_failed" in box.run("journalctl", "--no-pager", "-o", "cat", "-u", unit))
        file.write_text(text.format(port=port, instructions="Be brief").replace('"test"', '"other"'))
        moved = await anyio.to_thread.run_sync(ctl, "changing", "reload")
        after = box.show(unit)
        await box.systemctl("stop", unit)

    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [["changing", "1", "open"]]
    assert in_place == (1, {"type": "realtime", "instructions": "Be brief"})
    assert (moved, len(peers)) == ("changed: model.name", 2)
    assert told(peers[1]) == [("user", "Hello"), ("assistant", "an answer")]
    assert (after["ActiveState"], after["MainPID"], after["NRestarts"]) == ("active", before["MainPID"], "0")
