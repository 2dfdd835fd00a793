"""A report reaches its webhook at least once, whatever the receiver does."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import anyio.abc
import pytest
from trio.testing import MockClock

from runner.errors import OutputError
from runner.runs.deliveries import Deliveries
from runner.runs.report_spool import ReportSpool
from runner.runs.webhook import Webhook, signature
from runner.settings.report_settings import ReportSettings
from tests.helpers.command_process import Command, local
from tests.helpers.log_capture import captured_log

pytestmark = pytest.mark.anyio
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
Answer = Callable[[anyio.abc.SocketStream], Awaitable[None]]


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The command is asyncio."""
    return str(request.param)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret that the settings refer to, and no proxy."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)


async def status(stream: anyio.abc.SocketStream, number: int) -> None:
    """Answer with a status."""
    await stream.send(f"HTTP/1.1 {number} Said\r\ncontent-length: 0\r\n\r\n".encode())


async def hang(stream: anyio.abc.SocketStream) -> None:
    """Never answer."""
    del stream
    await anyio.sleep_forever()


async def lose(stream: anyio.abc.SocketStream) -> None:
    """Take the report, and lose the acknowledgement."""
    await stream.aclose()


async def accept(stream: anyio.abc.SocketStream) -> None:
    """Acknowledge."""
    await status(stream, 204)


async def fail(stream: anyio.abc.SocketStream) -> None:
    """Fail."""
    await status(stream, 500)


async def move(stream: anyio.abc.SocketStream) -> None:
    """Send it elsewhere."""
    await stream.send(b"HTTP/1.1 307 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n")


class Receiver:
    """A receiver that answers in turn, the last answer for ever; what it got, by `webhook-id`."""

    def __init__(self, *answers: Answer) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answers = list(answers)

    async def take(self, stream: anyio.abc.SocketStream) -> None:
        """Take one request, unless its sender is killed."""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            await self._take(stream)

    async def _take(self, stream: anyio.abc.SocketStream) -> None:
        async with stream:
            data = b""
            while b"\r\n\r\n" not in data:
                data += await stream.receive()
            head, _, body = data.partition(b"\r\n\r\n")
            lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
            headers = {name.lower(): value for name, value in lines}
            while len(body) < int(headers["content-length"]):
                body += await stream.receive()
            self.got.append((headers["webhook-id"], headers, body))
            await (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(stream)


@asynccontextmanager
async def deliveries(
    receiver: Receiver, folder: Path, *, within_s: float = 30
) -> AsyncIterator[tuple[Deliveries, ReportSpool]]:
    """Deliveries to this receiver from a spool in this folder."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # not Django
    webhook = {"url": f"http://127.0.0.1:{port}/hook?key=private", "secret": {"env": "HOOK_SECRET"}, "timeout_s": 0.2}
    settings = ReportSettings.model_validate({"webhook": webhook, "spool": str(folder)})
    assert settings.webhook is not None
    spool = ReportSpool(settings, "../p", {})
    with captured_log(), anyio.fail_after(within_s):
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, receiver.take)
            yield Deliveries(spool, Webhook(settings.webhook), "p"), spool
            tasks.cancel_scope.cancel()


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """By the example of its specification; a secret that is no base64 is taken as it is."""
    signed = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature("plain", "a", 1, b"") != signature("whsec_plain!", "a", 1, b"")


async def test_every_report_comes_at_least_once_with_the_same_id(tmp_path: Path) -> None:
    """The receiver fails, redirects, hangs and loses acknowledgements; what is acknowledged leaves the spool."""
    receiver = Receiver(fail, move, hang, lose, accept)
    async with deliveries(receiver, tmp_path) as (sender, spool):
        for number in range(3):
            spool.put(f"report_{number}", json.dumps({"id": number}).encode())
        assert spool.folder == tmp_path / "_._p"
        for left in (3, 3, 3, 3, 0):
            assert (await sender.flush())[1] == left
        assert await sender.flush() == (0, 0)

    assert [report_id for report_id, _, _ in receiver.got] == ["report_0"] * 5 + ["report_1", "report_2"]
    for report_id, headers, body in receiver.got:
        assert body == json.dumps({"id": int(report_id[-1])}).encode()
        assert headers["content-type"] == "application/json"
        signed = signature(SECRET, report_id, int(headers["webhook-timestamp"]), body)
        assert headers["webhook-signature"] == signed


async def test_a_run_tries_until_its_time_is_over(tmp_path: Path) -> None:
    """Then the report waits; nothing more of the address than its host is logged."""
    receiver = Receiver(fail, accept)
    with captured_log():
        async with deliveries(receiver, tmp_path) as (sender, spool):
            spool.put("report_a", b"{}")
            await sender.deliver("report_a", anyio.CancelScope(), within_s=20)
            assert not spool.waiting()
            spool.put("report_b", b"{}")
            receiver.answers = [fail]
            with captured_log() as lines:
                await sender.deliver("report_b", anyio.CancelScope(), within_s=0.1)
            assert [path.name for path in spool.waiting()] == ["report_b.json"]
    assert [report_id for report_id, _, _ in receiver.got] == ["report_a", "report_a", "report_b"]
    assert lines[0]["hint"].endswith("`rt-run report flush p`")
    assert "private" not in str(lines)


# Time goes on after 20 ms in which nothing happens: a disk may take as long, and each report goes through it.
@pytest.mark.parametrize("anyio_backend", [("trio", {"clock": MockClock(autojump_threshold=0.02)})], ids=["virtual"])
async def test_a_receiver_that_fails_for_a_minute_gets_every_report(tmp_path: Path) -> None:
    """Run follows run meanwhile, each tries a few times, and the next one after that minute brings what is left."""
    acknowledged: list[str] = []
    ids: list[str] = []

    async def recover(stream: anyio.abc.SocketStream) -> None:
        is_well = anyio.current_time() > well_at_s
        acknowledged.extend([receiver.got[-1][0]] * is_well)
        await status(stream, 204 if is_well else 500)

    async def run() -> None:
        ids.append(f"report_{len(ids)}")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sender.flush)
            await anyio.sleep(4)
        spool.put(ids[-1], json.dumps({"id": ids[-1]}).encode())
        await sender.deliver(ids[-1], anyio.CancelScope(), within_s=5)

    receiver = Receiver(recover)
    async with deliveries(receiver, tmp_path, within_s=86400) as (sender, spool):
        well_at_s = anyio.current_time() + 60
        while anyio.current_time() < well_at_s:
            assert acknowledged == []
            await run()
            assert len(receiver.got) <= 5 * len(ids)
        before = len(spool.waiting())
        while spool.waiting():
            await run()

    assert 5 <= before <= len(ids)
    assert sorted(set(acknowledged)) == sorted(ids)
    assert {(name, json.loads(body)["id"]) for name, _, body in receiver.got} == {(name, name) for name in ids}
    assert len({name for name, _, _ in receiver.got[: -len(acknowledged)]}) >= 5


async def test_what_cannot_be_delivered_keeps_nothing_else_back(tmp_path: Path) -> None:
    """One that the receiver does not take, or that cannot be read, waits alone; who is told to stop stops."""

    async def refuse(stream: anyio.abc.SocketStream) -> None:
        await status(stream, 413)

    receiver = Receiver(refuse, accept)
    async with deliveries(receiver, tmp_path) as (sender, spool):
        spool.put("report_a", b"{}")
        (spool.folder / "report_b.json").mkdir()
        spool.put("report_c", b"{}")
        with captured_log() as lines:
            assert await sender.flush() == (1, 2)
        assert [line["error"].rpartition(": ")[2] for line in lines[:2]] == ["HTTP 413", "Is a directory"]
        receiver.answers = [hang]
        forced = anyio.CancelScope()
        forced.cancel()
        with captured_log() as lines:
            await sender.deliver("report_a", forced, within_s=1000)
        assert lines[0]["event"] == "report_undelivered"


async def test_one_delivers_at_a_time(tmp_path: Path) -> None:
    """Who finds another one at work leaves it to that one."""
    receiver = Receiver(accept)
    async with deliveries(receiver, tmp_path) as (sender, spool):
        spool.put("report_a", b"{}")
        with spool.alone() as is_alone:
            assert is_alone
            assert await sender.flush() == (0, 1)
        assert await sender.flush() == (1, 0)


def test_a_spool_has_bounds_and_a_place(tmp_path: Path) -> None:
    """Beyond them a report is refused; where nothing else is said it is the service's state, or the user's."""
    settings = ReportSettings.model_validate({"spool": str(tmp_path), "max_spool_bytes": 1 << 20})
    spool = ReportSpool(settings, "p", {})
    spool.put("a", bytes(1 << 19))
    with pytest.raises(OutputError, match="is full: 1 reports wait"):
        spool.put("b", bytes((1 << 19) + 1))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        ReportSpool(settings.model_copy(update={"spool": str(tmp_path / "file")}), "p", {}).check()

    default = settings.model_copy(update={"spool": None})
    assert ReportSpool(default, "p", {"STATE_DIRECTORY": "/s:/t", "HOME": "/h"}).folder == Path("/s/spool/p")
    assert ReportSpool(default, "p", {"XDG_STATE_HOME": "/x", "HOME": "/h"}).folder == Path("/x/rt-run/spool/p")
    assert ReportSpool(default, "p", {"HOME": "/h"}).folder == Path("/h/.local/state/rt-run/spool/p")


PROFILE = """
[report.webhook]
url = "http://127.0.0.1:{port}/hook"
secret = {{ env = "HOOK_SECRET" }}
[run]
until = "response-done"
sessions = 10
"""


async def test_who_is_killed_before_a_delivery_loses_no_report(tmp_path: Path) -> None:
    """From the line on that says that a session is closed, wherever the others are; `rt-run report flush` delivers."""
    receiver = Receiver(hang)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  # not Django
    environment = {"HOOK_SECRET": SECRET, "XDG_STATE_HOME": str(tmp_path)}
    name = local(tmp_path, more=PROFILE.format(port=port))
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, receiver.take)
        command = Command("--profile", name, folder=tmp_path, environment=environment)
        command.write("Hi\n")
        await anyio.to_thread.run_sync(command.wait_for_log, "session_closed")
        command.process.kill()
        killed = await anyio.to_thread.run_sync(command.end)
        receiver.answers = [accept]
        before = len(receiver.got)
        flush = Command("report", "flush", name, folder=tmp_path, environment=environment)
        flushed = await anyio.to_thread.run_sync(flush.end)
        tasks.cancel_scope.cancel()

    delivered = [report_id for report_id, _, _ in receiver.got[before:]]
    assert (flushed.code, flushed.stdout) == (0, f"test: {len(delivered)} delivered, 0 left\n"), flushed.stderr
    assert len(delivered) == len(set(delivered))
    assert {f"report_{line['run_id']}" for line in killed.log if line["event"] == "session_closed"} <= set(delivered)
    assert {report_id for report_id, _, _ in receiver.got} <= set(delivered)
