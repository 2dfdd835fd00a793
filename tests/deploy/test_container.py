"""The image in a real container: `RT_RUN_IMAGE` names it, since a build takes minutes."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.endpoint_scripts import PATIENCE_S
from tests.helpers.peer import Peer, refusal, serving

IMAGE = os.environ.get("RT_RUN_IMAGE", "")
PROFILE = """
version = 1
[endpoint]
kind = "custom"
base_url = "http://127.0.0.1:{port}/v1"
[model]
name = "test"
[run]
until = "signal"
[run.reconnect]
max_attempts = 1000
initial_delay_s = 0.1
max_delay_s = 0.1
[http]
listen = "127.0.0.1:9464"
reconnect_grace_s = 1
[control]
path = "/run/rt-run/control.sock"
"""

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not IMAGE, reason="needs an image: RT_RUN_IMAGE"),
    pytest.mark.skipif(shutil.which("podman") is None, reason="needs Podman"),
]


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    """A folder that the user of the container may read."""
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def anyio_backend() -> str:
    """One is enough: the command is another process."""
    return "asyncio"


async def podman(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What has come of a command of the engine."""
    command = ["podman", *arguments]
    return await anyio.to_thread.run_sync(
        lambda: subprocess.run(command, capture_output=True, text=True, check=False), abandon_on_cancel=True
    )


async def until(*, is_well: bool) -> None:
    """Wait until the container is well, or is not."""
    while True:
        checked = await podman("healthcheck", "run", "rt-run-trial")
        if (checked.returncode == 0) == is_well:
            return
        await anyio.sleep(0.1)


def health_command() -> str:
    """That of the file for Compose."""
    program = re.search(r'test: \[CMD, python, -c, "(.*)"\]', (REPOSITORY / "deploy" / "compose.yaml").read_text())
    assert program
    return f'["python", "-c", "{program[1]}"]'


async def test_a_container_is_as_healthy_as_its_session(profiles: Path) -> None:
    """PID 1, without rights and a root to write to: red while the endpoint is away, and drained when it is stopped."""
    is_away, may_leave = False, anyio.Event()
    peers: list[Peer] = []

    async def script(peer: Peer) -> None:
        peers.append(peer)
        await peer.greet()
        if len(peers) > 1:
            await peer.to_the_end()
        await may_leave.wait()

    limits = ["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--memory", "256m"]
    tmpfs = re.search(r'tmpfs: \["(.*)"\]', (REPOSITORY / "deploy" / "compose.yaml").read_text())
    assert tmpfs
    mounts = ["--tmpfs", tmpfs[1], "--volume", f"{profiles}:/etc/rt-run/profiles:ro"]
    health = ["--health-cmd", health_command(), "--health-interval", "disable"]
    with anyio.fail_after(2 * PATIENCE_S):
        async with serving(script, door=lambda _: refusal(503) if is_away else None) as (port, _):
            (profiles / "trial.toml").write_text(PROFILE.format(port=port))
            named = ["--name", "rt-run-trial", "--network", "host", *limits, *mounts, *health, IMAGE]
            begun = await podman("run", "--detach", "--replace", *named, "--profile", "trial")
            try:
                assert begun.returncode == 0, begun.stderr
                await until(is_well=True)
                first = await podman("exec", "rt-run-trial", "cat", "/proc/1/cmdline")
                user = await podman("exec", "rt-run-trial", "id", "-u")
                written = await podman("exec", "rt-run-trial", "touch", "/opt/there")
                control = ["--socket", "/run/rt-run/control.sock", "trial", "status"]
                status = await podman("exec", "rt-run-trial", "rt-run", "ctl", *control)
                is_away = True
                may_leave.set()
                await until(is_well=False)
                is_away = False
                await until(is_well=True)
                await podman("stop", "--time", "30", "rt-run-trial")
                ended = await podman("inspect", "rt-run-trial", "--format", "{{.State.ExitCode}}")
            finally:
                with anyio.CancelScope(shield=True):
                    await podman("rm", "--force", "rt-run-trial")

    assert "rt-run" in first.stdout
    assert (user.stdout, written.returncode) == ("65532\n", 1)
    assert "open" in status.stdout
    assert (ended.stdout, peers[-1].close_code) == ("0\n", 1000)
