"""The image in a real container: `RT_RUN_IMAGE` names it, since a build takes minutes."""

import os
import re
import shutil
import subprocess
import textwrap
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
            control = ["--env", "RT_RUN_CONTROL__PATH=/run/rt-run/control.sock"]
            named = ["--name", "rt-run-trial", "--network", "host", *control, *limits, *mounts, *health, IMAGE]
            begun = await podman("run", "--detach", "--replace", *named, "--profile", "trial")
            try:
                assert begun.returncode == 0, begun.stderr
                await until(is_well=True)
                first = await podman("exec", "rt-run-trial", "cat", "/proc/1/cmdline")
                user = await podman("exec", "rt-run-trial", "id", "-u")
                written = await podman("exec", "rt-run-trial", "touch", "/opt/there")
                status = await podman("exec", "rt-run-trial", "rt-run", "ctl", "trial", "status")
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


NIGHTLY = """
apiVersion: v1
kind: ConfigMap
metadata: { name: rt-run-profiles }
data:
  nightly.toml: |
    version = 1
    [endpoint]
    kind = "local"
    [session]
    output_modalities = ["text"]
    [greeting]
    text = "Good evening."
  refused.toml: |
    version = 1
    [endpoint]
    kind = "openai"
    [auth]
    kind = "api-key"
    api_key = { file = "/run/secrets/other" }
    [model]
    name = "gpt-realtime-2"
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: { name: rt-run }
data: { openai: c2stdGVzdA== }
"""


def pod_of_the_job(profile: str) -> str:
    """The pod that the Job starts, which Podman plays without one."""
    _, _, template = (REPOSITORY / "deploy" / "kubernetes" / "job.yaml").read_text().partition("  template:\n")
    named = textwrap.dedent(template).replace("metadata:\n", "metadata:\n  name: rt-run-trial\n", 1)
    named = named.replace("rt-run:latest", IMAGE).replace("[--profile, nightly,", f"[--profile, {profile},")
    return f"apiVersion: v1\nkind: Pod\n{named}"


@pytest.mark.parametrize(("profile", "code"), [("nightly", "0"), ("refused", "78")])
async def test_the_pod_of_the_job_runs_to_its_end(tmp_path: Path, profile: str, code: str) -> None:
    """With profiles and secrets as files, without rights and a root to write to; what cannot work has its own code."""
    for name, text in (("pod", pod_of_the_job(profile)), ("profiles", NIGHTLY), ("secret", SECRET)):
        (tmp_path / f"{name}.yaml").write_text(text)
    pod = str(tmp_path / "pod.yaml")
    with anyio.fail_after(2 * PATIENCE_S):
        try:
            await podman("secret", "create", "rt-run", str(tmp_path / "secret.yaml"))
            played = await podman("play", "kube", "--configmap", str(tmp_path / "profiles.yaml"), pod)
            assert played.returncode == 0, played.stderr
            ended = await podman("wait", "rt-run-trial-session")
            logged = await podman("logs", "rt-run-trial-session")
            form = (
                "{{.HostConfig.ReadonlyRootfs}} {{.Config.User}} {{.EffectiveCaps}} {{.HostConfig.RestartPolicy.Name}}"
            )
            rights = await podman("inspect", "rt-run-trial-session", "--format", form)
        finally:
            with anyio.CancelScope(shield=True):
                await podman("play", "kube", "--down", pod)
                await podman("secret", "rm", "rt-run")

    assert (ended.stdout.strip(), rights.stdout.strip()) == (code, "true 65532:65532 [] no"), logged.stderr
    assert ("Good evening." in logged.stdout) == (profile == "nightly")
