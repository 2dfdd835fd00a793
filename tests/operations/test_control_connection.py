"""What clients of the control socket may do without a session noticing."""

import json
import socket
from pathlib import Path
from typing import Any

import anyio
import pytest

from runner import __version__
from runner.operations import control_commands, control_connection, line_socket, run_status
from runner.operations.control_protocol import MAX_BAD_LINES, MAX_CLIENTS, MAX_LINE_BYTES
from runner.session.session import Session
from tests.helpers.controlled_runs import answers, controlled_runs, for_ever, in_thread, obliging
from tests.helpers.endpoint_scripts import PATIENCE_S, reached
from tests.helpers.peer import Peer, serving

pytestmark = pytest.mark.anyio

STATUS = b'{"id":1,"command":"status"}\n'


def everything(connection: socket.socket) -> list[Any]:
    """All lines up to the end of the connection."""
    with connection.makefile("rb") as lines:
        return [json.loads(line) for line in lines]


def followed(connection: socket.socket) -> list[Any]:
    """All lines until a follower falls out: by a refusal where it reads again in time, else by the connection's end."""
    told: list[Any] = []
    with connection.makefile("rb") as lines:
        while not (told and told[-1].get("ok") is False) and (line := lines.readline()):
            told.append(json.loads(line))
    return told


async def test_lines_are_answered_in_whatever_pieces_they_come(tmp_path: Path) -> None:
    """Half a line waits; who has finished writing still gets the answers; what is cut off is not done."""

    def talk(connection: socket.socket) -> list[Any]:
        connection.sendall(STATUS * 2)
        answers(connection, 2)
        connection.sendall(STATUS[:-1])
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(PATIENCE_S)
        connection.sendall(b"\n" + STATUS * 2 + b'{"id": "last", "command": "say", "text": "Hello"}\n')
        connection.sendall(b'{"command":"close"}')
        connection.shutdown(socket.SHUT_WR)
        return everything(connection)

    async with serving(obliging) as (port, peers), controlled_runs(tmp_path, for_ever(port)) as runs:
        with await runs.connected() as connection:
            told = await in_thread(talk, connection)
        phase = runs.fleet.runs[0].phase

    assert [each["id"] for each in told] == [1, 1, 1, "last"]
    assert all(each["ok"] for each in told)
    assert phase == "live"
    assert [each["type"] for each in peers[0].received].count("response.create") == 1


async def test_a_state_that_is_known_holds_until_something_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks again gets the answer that he had, a moment long; not so once an answer has come."""
    monkeypatch.setattr(run_status, "_HOLDS_S", 1000.0)

    def ask(connection: socket.socket) -> Any:
        connection.sendall(STATUS)
        (answer,) = answers(connection, 1)
        return answer["result"]["sessions"][0]

    async with serving(obliging) as (port, _), controlled_runs(tmp_path, for_ever(port)) as runs:
        run = runs.fleet.runs[0]
        with await runs.connected() as connection:
            await reached(lambda: run.session)
            session = run.session
            assert session
            while True:
                count = session.carriage.changes.count
                first = await in_thread(ask, connection)
                run.started_s -= 1000.0
                second = await in_thread(ask, connection)
                if count == session.carriage.changes.count:  # the opening may still go on
                    break
            await runs.request("say", text="Hello")
            await reached(lambda: session.usage.responses)
            third = await in_thread(ask, connection)

    assert first == second
    assert third["age_s"] >= first["age_s"] + 1000
    assert (first["turns"], third["turns"]) == (0, 1)


async def test_a_client_learns_whom_it_talks_to(tmp_path: Path) -> None:
    """The process greets with its version, that of the protocol and the names of its profiles."""

    def greeting() -> Any:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(tmp_path / "control.sock"))
            return answers(connection, 1)[0]

    async with serving(obliging) as (port, _), controlled_runs(tmp_path, for_ever(port)):
        told = await in_thread(greeting)

    assert (told["rt_run"], told["protocol"], told["profiles"]) == (__version__, 1, ["support"])


async def test_garbage_ends_its_own_connection_and_nothing_else(tmp_path: Path) -> None:
    """What is no request is refused, and given up after some lines or one endless line; the session answers others."""

    def send(connection: socket.socket, data: bytes) -> list[Any]:
        try:
            connection.sendall(data)
            return everything(connection)
        except OSError:
            return []

    garbage = [b"[]\n", b"null\n", b"{}\n", b'{"command":"say"}\n', b"\xff\xfe\n", b"{" * 3000 + b"\n"]
    async with serving(obliging) as (port, _), controlled_runs(tmp_path, for_ever(port)) as runs:
        with await runs.connected() as nonsense, await runs.connected() as endless:
            refused = await in_thread(send, nonsense, b"".join(garbage) * 1000)
            await in_thread(send, endless, b"x" * (MAX_LINE_BYTES * 3))
        assert (await runs.request("say", text="Hello"))["confirmed"]

    assert {each["error"]["code"] for each in refused} <= {"bad-request"}
    assert len(refused) <= MAX_BAD_LINES


async def test_who_never_reads_is_given_up_and_who_is_killed_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A follower that takes nothing falls out, its bytes bounded; the answer reaches everybody else."""
    monkeypatch.setattr(line_socket, "WRITE_TIMEOUT_S", 0.05)
    monkeypatch.setattr(control_commands, "MAX_UNREAD_BYTES", 65536)
    monkeypatch.setattr(control_connection, "_LOOK_S", 0.02)
    subscribe, followers = Session.events, list[Any]()

    def follow(session: Session, **bounds: Any) -> Any:
        followers.append(subscribe(session, **bounds))
        return followers[-1]

    monkeypatch.setattr(Session, "events", follow)

    async def verbose(peer: Peer) -> None:
        await peer.greet()
        await peer.until("response.create")
        await peer.answer(*["words " * 1000] * 200)
        await peer.to_the_end()

    async with serving(verbose) as (port, _), controlled_runs(tmp_path, for_ever(port)) as runs:
        with await runs.connected() as idle, await runs.connected() as greedy:
            idle.sendall(b'{"command":"events"}\n')
            await reached(lambda: followers)
            greedy.setblocking(False)
            while True:
                try:
                    greedy.send(STATUS * 1000)
                except BlockingIOError:
                    break
            with await runs.connected() as killed:
                killed.sendall(b'{"command":"events","filter":["never"]}\n{"comm')
            await runs.request("say", text="Talk")
            session = runs.fleet.runs[0].session
            assert session
            await reached(lambda: session.state.usage.responses)
            told = await in_thread(followed, idle)
            with await runs.connected() as other:
                other.sendall(STATUS)
                await in_thread(answers, other, 1)

    assert session.state.usage.responses == 1
    assert len(json.dumps(told)) < 200 * 6000


async def test_only_so_many_are_served_at_a_time(tmp_path: Path) -> None:
    """One more is turned away with a reason, and served once another has gone."""

    def connect() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(tmp_path / "control.sock"))
        return connection

    async with serving(obliging) as (port, _), controlled_runs(tmp_path, for_ever(port)) as runs:
        clients = [await runs.connected() for _ in range(MAX_CLIENTS)]
        with await in_thread(connect) as surplus:
            told = await in_thread(everything, surplus)
        for each in clients:
            each.close()
        with anyio.fail_after(PATIENCE_S):
            while "protocol" not in (await in_thread(greeted, tmp_path)):  # noqa: ASYNC110  # only asking tells
                await anyio.sleep(0.01)

    assert told == [{"ok": False, "error": {"code": "too-many", "message": f"there are {MAX_CLIENTS} clients"}}]


def greeted(folder: Path) -> Any:
    """The first line of a new connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(folder / "control.sock"))
        return answers(connection, 1)[0]
