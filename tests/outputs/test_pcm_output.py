"""Answers as raw samples in a pipe."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.helpers.command_process import Command, profile
from tests.helpers.endpoint_scripts import PATIENCE_S
from tests.helpers.peer import Peer, Script, serving
from tests.helpers.spoken_session import RATE, barge_in, obey, ramp, speak

pytestmark = pytest.mark.anyio
PROFILE = """
[endpoint]
kind = "custom"
base_url = "http://127.0.0.1:{port}/v1"
[model]
name = "test"
[session.audio.input.turn_detection]
type = "server_vad"
[[outputs]]
kind = "stdout"
format = "audio"
pace = "{pace}"
[run]
grace_s = {grace_s}
max_response_retries = 0
[run.reconnect]
max_attempts = 0
"""


@pytest.fixture
def anyio_backend() -> str:
    """The command has an event loop of its own."""
    return "asyncio"


async def run(
    folder: Path, script: Script, *, pace: str, grace_s: float = 5, is_terminated: bool = False
) -> tuple[int, bytes]:
    """A command that asks one question and hears what a script answers; its exit code, and what it wrote.

    With `is_terminated` it gets SIGTERM as soon as something is heard, and otherwise the end of its input.
    """
    async with serving(script) as (port, _):
        name = profile(folder, PROFILE.format(port=port, pace=pace, grace_s=grace_s))
        command = Command("--profile", name, folder=folder)

        def drive() -> tuple[int, bytes]:
            heard = b""
            if is_terminated:
                assert command.process.stdin
                assert command.process.stdout
                command.process.stdin.write(b"Hello\n")
                heard = command.process.stdout.read(100)
                command.send_signal(signal.SIGTERM)
            out, err = command.process.communicate(None if is_terminated else b"Hello\n")
            command.release()
            assert b"Traceback" not in err, err.decode()
            return command.process.wait(), heard + out

        return await anyio.to_thread.run_sync(drive)


async def answer(peer: Peer) -> None:
    """Answer with 700 ms."""
    await peer.greet()
    await peer.until("response.create")
    await speak(peer, ramp(700), "hm")
    await obey(peer)


@pytest.mark.parametrize("pace", ["fast", "real-time"])
async def test_every_sample_comes_out_at_its_pace(tmp_path: Path, pace: str) -> None:
    """To the sample; in real time the run ends when the answer was heard, though no more goes in."""
    began_s = time.monotonic()
    code, out = await run(tmp_path, answer, pace=pace)

    assert (code, out) == (0, ramp(700))
    assert (time.monotonic() - began_s > 0.7) or pace == "fast"


async def test_what_was_interrupted_is_not_in_the_pipe(tmp_path: Path) -> None:
    """No more than a tenth of a second beyond what is reported to the endpoint as heard."""
    heard_ms: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await speak(peer, ramp(10_000), "hm")
        await anyio.sleep(0.4)
        await barge_in(peer)
        await peer.send({"type": "input_audio_buffer.cleared"})
        heard_ms.append((await peer.until("conversation.item.truncate"))["audio_end_ms"])
        await obey(peer)

    code, out = await run(tmp_path, script, pace="real-time")
    written_ms = len(out) / 2 / RATE * 1000

    assert code == 0
    assert out == ramp(10_000)[: len(out)]
    assert 0 < written_ms <= heard_ms[0] + 140


@pytest.mark.parametrize(("grace_s", "answer_ms", "is_whole"), [(30.0, 1200, True), (3.0, 20_000, False)])
async def test_a_drain_lets_what_has_come_be_heard_within_the_grace_period(
    tmp_path: Path, grace_s: float, answer_ms: int, is_whole: bool
) -> None:
    """After SIGTERM the rest of an answer is heard where there is time, and cut off where there is none."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await speak(peer, ramp(answer_ms), "hm")
        await obey(peer)

    code, out = await run(tmp_path, script, pace="real-time", grace_s=grace_s, is_terminated=True)

    assert code == 0
    assert out == ramp(answer_ms)[: len(out)]
    assert (len(out) == len(ramp(answer_ms))) == is_whole


async def test_a_reader_that_has_gone_ends_the_run(tmp_path: Path) -> None:
    """As with text: the run ends without an error."""

    async def go_on(peer: Peer) -> None:
        with suppress(anyio.ClosedResourceError):
            await speak(peer, ramp(20_000), "hm", pace=1.0)

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(go_on, peer)
            await obey(peer)
            tasks.cancel_scope.cancel()

    async with serving(script) as (port, _):
        name = profile(tmp_path, PROFILE.format(port=port, pace="fast", grace_s=0.2))
        command = Command("--profile", name, folder=tmp_path)

        def drive() -> int:
            assert command.process.stdin
            assert command.process.stdout
            command.process.stdin.write(b"Hello\n")
            command.process.stdout.read(100)
            command.process.stdout.close()
            return command.process.wait(PATIENCE_S)

        assert await anyio.to_thread.run_sync(drive) == 0
        command.release()


def test_a_terminal_is_spared(tmp_path: Path) -> None:
    """Samples would only rewrite the screen: exit 74, before anything connects."""
    name = profile(tmp_path, PROFILE.format(port=9, pace="fast", grace_s=1))
    leading, following = os.openpty()
    try:
        program = [sys.executable, "-m", "runner", "--profile", name]
        done = subprocess.run(
            program, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=following, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(leading)
        os.close(following)

    assert done.returncode == 74
    assert b"pipe standard output" in done.stderr


async def test_sox_reads_what_comes_out_to_the_sample(tmp_path: Path) -> None:
    """`rt-run | sox` makes a file exactly as long as the answer."""
    if shutil.which("sox") is None:
        pytest.skip("there is no sox here")
    async with serving(answer) as (port, _):
        name = profile(tmp_path, PROFILE.format(port=port, pace="fast", grace_s=2))
        form = f"-t raw -r {RATE} -e signed -b 16 -c 1"
        line = f"echo Hello | {sys.executable} -m runner --profile {name} | sox {form} - o.wav"
        await anyio.to_thread.run_sync(
            lambda: subprocess.run(line, shell=True, cwd=tmp_path, check=True, capture_output=True)  # noqa: S602  # a pipe
        )
        counted = await anyio.to_thread.run_sync(
            lambda: subprocess.run(["sox", "--i", "-s", tmp_path / "o.wav"], capture_output=True, text=True, check=True)
        )

    assert int(counted.stdout) == len(ramp(700)) // 2


async def test_samples_and_the_log_do_not_share_a_pipe(tmp_path: Path) -> None:
    """A line of the log would be heard, and after one of odd length everything else would be noise."""
    name = profile(tmp_path, PROFILE.format(port=9, pace="fast", grace_s=1))
    command = Command("--profile", name, folder=tmp_path, before="import os; os.dup2(1, 2)")
    ended = await anyio.to_thread.run_sync(command.end)

    assert ended.code == 74
    assert "audio cannot be written where the log goes" in ended.stdout
