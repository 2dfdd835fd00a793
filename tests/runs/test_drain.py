"""Ends of runs against a server that does what each test says."""

import json
import signal
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from tests.helpers.command_process import Command, Ended, profile
from tests.helpers.peer import Peer, Script, serving

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
grace_s = {grace_s}
until = "{until}"
loop = "{loop}"
max_response_retries = 0
[run.reconnect]
max_attempts = 0
"""
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of the server here; the command chooses its own."""
    return "asyncio"


def said(folder: Path) -> list[tuple[str, str]]:
    """Text and status of each of the assistant's turns in the transcript."""
    lines = map(json.loads, (folder / "said.jsonl").read_text().splitlines())
    return [(line["text"], line["status"]) for line in lines if line["role"] == "assistant"]


class Run:
    """A command against a scripted server.

    Args:
        folder: Where it runs.
        script: What the server does.
        grace_s: The profile's grace period.
        until: The profile's `run.until`.
        loop: The profile's `run.loop`.
        stopped: Set once the command has taken the first signal.
    """

    def __init__(
        self,
        folder: Path,
        script: Script,
        *,
        grace_s: float = 2,
        until: str = "input-end",
        loop: str = "auto",
        stopped: anyio.Event | None = None,
    ) -> None:
        self.folder, self.script, self.grace_s, self.until, self.loop = folder, script, grace_s, until, loop
        self.stopped = stopped or anyio.Event()
        self.peers: list[Peer] = []

    async def after(self, text: str, shown: str, *signals: signal.Signals) -> Ended:
        """Say something, wait until this shows, send the signals one after another, and wait for the end."""
        async with serving(self.script) as (port, self.peers):
            settings = PROFILE.format(port=port, grace_s=self.grace_s, until=self.until, loop=self.loop)
            command = Command("--profile", profile(self.folder, settings), folder=self.folder)

            def drive() -> Ended:
                command.write(text)
                begun = command.read(len(shown))
                for index, number in enumerate(signals):
                    command.send_signal(number)
                    if index == 0:
                        command.wait_for_log("signal_received")
                        anyio.from_thread.run_sync(self.stopped.set)
                ended = command.end()
                ended.stdout = begun + ended.stdout
                return ended

            # Each in a thread of its own, however many there are at a time.
            return await anyio.to_thread.run_sync(drive, limiter=anyio.CapacityLimiter(1))


async def half(peer: Peer) -> None:
    """Begin an answer."""
    await peer.greet()
    await peer.until("response.create")
    await peer.answer("half ", "of it", end=False)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_ten_drains_in_mid_answer_lose_nothing(tmp_path: Path, loop: str) -> None:
    """Ten times SIGTERM while an answer streams: exit 0, the whole answer in the transcript, a close 1000."""

    async def drain(folder: Path) -> None:
        stopped = anyio.Event()

        async def script(peer: Peer) -> None:
            await half(peer)
            await stopped.wait()
            await peer.answer(", all of it", response_id="resp_1", end=False)
            await peer.end("half of it, all of it")
            await peer.to_the_end()

        await anyio.Path(folder).mkdir()
        run = Run(folder, script, loop=loop, grace_s=10, stopped=stopped)
        ended = await run.after("Hello\n", "half of it", signal.SIGTERM)

        assert (ended.code, ended.stdout) == (0, "half of it, all of it\n")
        assert said(folder)[-1] == ("half of it, all of it", "completed")
        assert run.peers[0].close_code == 1000

    async with anyio.create_task_group() as drains:
        for number in range(10):
            drains.start_soon(drain, tmp_path / str(number))


async def test_an_endpoint_that_cancels_nothing_costs_the_answer_only(tmp_path: Path) -> None:
    """The farewell has its share of the grace period: what was said is kept, and the close is a clean one."""

    async def script(peer: Peer) -> None:
        await half(peer)
        await peer.to_the_end()

    # The farewell's share of the grace period is as long as a busy machine may need.
    run = Run(tmp_path, script, grace_s=6)
    ended = await run.after("Hello\n", "half", signal.SIGTERM)

    assert (ended.code, ended.stdout) == (0, "half of it\n")
    assert said(tmp_path) == [("half of it", "incomplete")]
    assert [each["type"] for each in run.peers[0].received][-1] == "response.cancel"
    assert run.peers[0].close_code == 1000


@pytest.mark.parametrize("forced", [False, True], ids=["grace", "second"])
async def test_an_endpoint_that_is_deaf_is_left_with_what_was_said(tmp_path: Path, *, forced: bool) -> None:
    """It answers neither the cancel nor the close: the end of the grace period, or a second signal, forces the end."""

    async def script(peer: Peer) -> None:
        await half(peer)
        await anyio.sleep_forever()

    # A run that did not heed the second signal would be killed by the test's own patience.
    run = Run(tmp_path, script, grace_s=1000 if forced else 1)
    ended = await run.after("Hello\n", "half", *[signal.SIGTERM] * (1 + forced))

    assert ended.code == 128 + signal.SIGTERM
    assert [line["event"] for line in ended.log if line["event"] in {"forced", "grace_expired"}] == [
        "forced" if forced else "grace_expired"
    ]
    if not forced:
        assert ended.stdout == "half of it\n"
        assert said(tmp_path) == [("half of it", "incomplete")]


async def test_a_second_signal_does_not_wait_for_a_write(tmp_path: Path) -> None:
    """A question of megabytes to an endpoint that has stopped reading holds up nobody who insists."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("ready")
        await anyio.sleep_forever()

    run = Run(tmp_path, script, grace_s=1000)
    ended = await run.after(f"Hello\n{'x' * 12_000_000}\n", "ready", signal.SIGTERM, signal.SIGTERM)

    assert ended.code == 128 + signal.SIGTERM
    assert ended.logged("forced")["signal"] == "SIGTERM"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 129)], ids=["TERM", "INT", "HUP"]
)
async def test_the_exit_code_says_which_signal_drained(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """A service manager stops, a user interrupts, a terminal hangs up; a service without one is reloaded by that."""

    async def script(peer: Peer) -> None:
        await half(peer)
        await peer.end("half of it")
        await peer.to_the_end()

    until = "input-end" if number == signal.SIGHUP else "signal"
    ended = await Run(tmp_path, script, until=until).after("Hello\n", "half of it\n", number)

    assert ended.code == code


@pytest.mark.parametrize("until", ["input-end", "response-done"])
async def test_an_answer_that_failed_is_no_success(tmp_path: Path, until: str) -> None:
    """The failure of a response decides the exit code of whoever waited for it."""

    async def script(peer: Peer) -> None:
        await half(peer)
        error = {"type": "server_error", "code": "rate_limit_exceeded", "message": "slow down"}
        await peer.end("half of it", status="failed", status_details={"type": "failed", "error": error})
        await peer.to_the_end()

    ended = await Run(tmp_path, script, until=until).after("Hello\n", "half")

    assert ended.code == 75
    assert "slow down" in ended.logged("session_closed")["error"]


async def test_characters_cut_in_two_arrive_whole(tmp_path: Path) -> None:
    """Servers that cut text by UTF-16 units send half a character as an escape; both outputs join the halves."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer("a\ud83d", "\udc4bb", end=False)
        await peer.end("a\N{WAVING HAND SIGN}b")
        await peer.to_the_end()

    ended = await Run(tmp_path, script).after("Hello\n", "a")

    assert (ended.code, ended.stdout) == (0, "a\N{WAVING HAND SIGN}b\n")
    assert said(tmp_path) == [("a\N{WAVING HAND SIGN}b", "completed")]
