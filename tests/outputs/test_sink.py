"""Outputs that are text: what they write, and that they hold up neither the session nor each other."""

import contextlib
import json
import os
from pathlib import Path

import anyio
import pytest

from runner.errors import OutputError, RunnerError
from runner.outputs.session_output import Fail
from runner.outputs.sink import Sink, file_sink, stdout_sink
from runner.outputs.standard_output import StandardOutput
from runner.outputs.text import EventLines
from runner.outputs.writer import OutputClosed
from runner.protocol.effects import TextDelta
from runner.session.opening import open_session
from runner.session.update import Update
from runner.settings.output import StdoutOutput
from tests.helpers.endpoint_scripts import PATIENCE_S
from tests.helpers.peer import Peer, profile_for, serving

pytestmark = pytest.mark.anyio


def events(path: Path, fail: Fail, *, max_queue_bytes: int = 1 << 26) -> Sink:
    """A file of events."""
    return file_sink(path, EventLines(), max_queue_bytes=max_queue_bytes, fail=fail)


def update(number: int, size_bytes: int = 10) -> Update:
    """An update with a numbered event."""
    return Update({"type": "x", "number": number}, (TextDelta("r", "i", str(number)),), 0.0, size_bytes)


async def write(sink: Sink, *updates: Update) -> None:
    """Run a sink over these updates to its end."""
    for each in updates:
        sink.take(each)
    sink.close()
    with anyio.fail_after(PATIENCE_S):
        await sink.run()


async def empty(descriptor: int) -> None:
    """Read whatever comes, and throw it away."""
    while True:
        await anyio.sleep(0.001)
        with contextlib.suppress(BlockingIOError):
            os.read(descriptor, 1 << 20)


async def test_a_file_is_appended_to_and_its_folder_made(tmp_path: Path) -> None:
    """Two runs into one path add up."""
    failures: list[RunnerError] = []
    path = tmp_path / "p" / "s.jsonl"
    for number in range(2):
        await write(events(path, failures.append), update(number))

    lines = path.read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [0, 1]
    assert not failures


async def test_an_output_that_falls_behind_ends_the_session_and_is_named(tmp_path: Path) -> None:
    """The bound is the profile's, reaching it is reported once, and what came before the gap is written."""
    failures: list[RunnerError] = []
    sink = events(tmp_path / "t", failures.append, max_queue_bytes=65536)
    for number in range(5):
        sink.take(update(number, size_bytes=30_000))

    assert [str(each) for each in failures] == [
        f"the file {tmp_path / 't'} fell more than 65536 bytes behind the session"
    ]
    await write(sink)
    lines = (tmp_path / "t").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [0, 1]


@pytest.mark.parametrize(("path", "kind"), [("/dev/full", OutputError), ("pipe", OutputClosed)])
async def test_what_cannot_be_written_is_reported_once(tmp_path: Path, path: str, kind: type[Exception]) -> None:
    """A full disk is a failure; a reader that has gone is its own kind."""
    failures: list[RunnerError] = []
    target = Path(path)
    reading = -1
    if path == "pipe":
        target = tmp_path / path
        os.mkfifo(target)
        reading = os.open(target, os.O_RDONLY | os.O_NONBLOCK)
    sink = events(target, failures.append)
    if reading >= 0:
        os.close(reading)
    sink.take(update(1))
    await write(sink, update(2))

    assert [type(each) for each in failures] == [kind]
    assert sink.is_finished


async def test_a_stuck_output_never_delays_a_pong(tmp_path: Path) -> None:
    """While the disk hangs, pings are answered and answers still come."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    failures: list[RunnerError] = []
    sink = events(pipe, failures.append)

    async def script(peer: Peer) -> None:
        await peer.greet()
        for _ in range(20):
            await peer.send({"type": "response.output_audio.delta", "delta": "A" * 20_000})
        for number in range(10):
            peer.protocol.send_ping(str(number).encode())
            await peer.flush()
            while len(peer.pongs) <= number:
                peer.protocol.receive_data(await peer.stream.receive())
                peer.sort()
        assert not sink.is_finished
        await peer.until("response.create")
        await peer.answer("still here")
        await peer.to_the_end()

    try:
        async with serving(script) as (port, _), anyio.create_task_group() as tasks:
            tasks.start_soon(sink.run)
            async with open_session(profile_for(port), readers=[sink.take]) as session:
                await session.say("Hello")
                with anyio.fail_after(PATIENCE_S):
                    await session.wait_answered()
            assert not sink.is_finished
            tasks.start_soon(empty, reading)
            await sink.flushed()
            sink.close()
            await sink.finished()
            tasks.cancel_scope.cancel()
        assert not failures
    finally:
        os.close(reading)


async def test_outputs_that_are_stuck_hold_up_no_other(tmp_path: Path) -> None:
    """More pipes without a reader than there are shared threads: a file beside them is written all the same."""
    failures: list[RunnerError] = []
    pipes = [tmp_path / f"pipe{number}" for number in range(45)]
    reading = []
    for each in pipes:
        os.mkfifo(each)
        reading.append(os.open(each, os.O_RDONLY | os.O_NONBLOCK))
    *stuck, free = (events(each, failures.append) for each in [*pipes, tmp_path / "file"])
    large = Update({"type": "x", "text": "x" * 200_000}, (), 0.0, 200_000)
    async with anyio.create_task_group() as tasks:
        for sink in stuck:
            sink.take(large)
            tasks.start_soon(sink.run)
        await anyio.sleep(0.2)
        with anyio.fail_after(PATIENCE_S):
            await write(free, update(1))
        for descriptor in reading:
            os.close(descriptor)
        for sink in stuck:
            sink.close()

    assert "number" in (tmp_path / "file").read_text()
    assert {type(each) for each in failures} == {OutputClosed}


async def test_standard_output_that_breaks_is_reported_to_all(capfd: pytest.CaptureFixture[str]) -> None:
    """Each session hears of it once, also those that were not writing; the descriptor stays open."""
    failures: list[list[RunnerError]] = [[], [], []]
    stdout = StandardOutput(is_shared=True)
    names = {"profile": "p", "run_id": "r", "session": "1"}
    sinks = [stdout_sink(StdoutOutput(kind="stdout", format="events"), stdout, each.append, names) for each in failures]
    await write(sinks[0], update(1))
    stdout.fail(OutputClosed("gone"))
    stdout.fail(OutputClosed("gone"))
    for sink in sinks[1:]:
        await write(sink)

    assert [[type(error) for error in each] for each in failures] == [[OutputClosed]] * 3
    assert json.loads(capfd.readouterr().out)["number"] == 1
    os.fstat(1)
