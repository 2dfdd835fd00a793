"""The session: one test for each trap of the transport, against scripted peers on real sockets."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import pytest
from anyio.lowlevel import checkpoint
from websockets.frames import Frame, Opcode
from websockets.sync.server import Server, ServerConnection, serve

from runner.connect.handshake import Address, open_websocket
from runner.connect.websocket import Closed, WebSocket
from runner.errors import EndpointBusy, EndpointUnreachable, ProtocolError, RunnerError
from runner.settings.endpoint import Network
from tests.helpers.transport_peers import PROMPT_S, Inbox, Peer, Pki, Script, listening, upgrade, websocket

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def connected(script: Script, pki: Pki | None = None, **options: Any) -> AsyncIterator[tuple[WebSocket, Inbox]]:
    """A session and its inbox, over TLS with certificates; the peer follows the script and then reads to the end."""

    async def to_the_end(peer: Peer) -> None:
        await script(peer)
        while not peer.is_closed:
            if (await peer.frame()).opcode is Opcode.CLOSE:
                await peer.close()

    async with (
        listening(websocket(to_the_end), pki.server if pki else None) as port,
        open_websocket(
            Address(f"{'https' if pki else 'http'}://127.0.0.1:{port}/v1", {}),
            Network(ca_file=pki.authority if pki else None, **options),
        ) as session,
    ):
        yield session, await Inbox.of(session)


async def silence(peer: Peer) -> None:
    """Say nothing."""


async def polite(peer: Peer) -> None:
    """Follow the goodbye."""
    await peer.frame()
    await peer.close()


async def deafness(peer: Peer) -> None:
    """Read nothing, for longer than any test."""
    stop_reading(peer)
    await anyio.sleep_forever()


def stop_reading(peer: Peer) -> None:
    """Keep anyio, which reads ahead on asyncio until somebody has had to wait, from reading before it is asked to."""
    if (transport := getattr(peer.stream, "_transport", None)) is not None:
        transport.pause_reading()


def shrink(session: WebSocket) -> None:
    """Make the sending buffer of the session's socket small, so that a deaf peer is noticed soon."""
    session.stream.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


@pytest.fixture
def echo() -> Iterator[Server]:
    """`websockets`' own server, echoing."""

    def handler(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(handler, "127.0.0.1", 0, max_size=None, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_speaks_with_websockets(echo: Server) -> None:
    """Text, binary, empty and large messages go to a real server and back."""
    port = echo.socket.getsockname()[1]
    messages = ["hello", "", "ü€😀" * 1000, "x" * 70_000]
    received = []
    async with open_websocket(Address(f"http://127.0.0.1:{port}/", {}), None) as session:
        inbox = await Inbox.of(session)
        for message in messages:
            await session.send(message)
            received.append(await inbox.receive())
        await session.send(b"ready-made")
        received.append(await inbox.receive())
        await session.close(1000, "done")

    assert received == [*messages, "ready-made"]
    assert session.close_code == 1000


async def test_messages_keep_their_order() -> None:
    """Many messages in one read come one by one."""

    async def script(peer: Peer) -> None:
        await peer.text(*map(str, range(1000)))

    async with connected(script) as (_session, inbox):
        assert [await inbox.receive() for _ in range(1000)] == list(map(str, range(1000)))


async def test_a_ping_is_answered_while_the_receiver_waits() -> None:
    """A ping between messages gets its pong without any message."""
    answers: list[Frame] = []

    async def script(peer: Peer) -> None:
        await peer.send(Opcode.PING, b"are you there")
        answers.append(await peer.frame())
        await peer.text("thanks")

    async with connected(script) as (_session, inbox):
        assert await inbox.receive() == "thanks"

    assert answers == [Frame(Opcode.PONG, b"are you there")]


async def test_pings_are_answered_while_the_consumer_is_busy() -> None:
    """Unread messages do not stop pongs, and a busy consumer's peer is not taken for dead."""
    answered = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.text("one", "two", "three")
        for index in range(5):
            await peer.send(Opcode.PING, b"%d" % index)
            while (frame := await peer.frame()).opcode is not Opcode.PONG:
                await peer.send(Opcode.PONG, bytes(frame.data))
            assert bytes(frame.data) == b"%d" % index
        answered.set()

    async with connected(script, ping_interval_s=0.05, ping_timeout_s=0.2) as (_session, inbox):
        await answered.wait()
        await anyio.sleep(0.4)

        assert [await inbox.receive() for _ in range(3)] == ["one", "two", "three"]


async def test_a_peer_that_reads_no_pongs_does_not_stop_the_reader() -> None:
    """Pongs to a deaf peer wait outside of the reader, the latest one only."""
    pings = 20_000

    async def script(peer: Peer) -> None:
        ping = Frame(Opcode.PING, b"x" * 125).serialize(mask=False)
        for _ in range(20):
            await peer.stream.send(ping * (pings // 20))
        await peer.text("after the flood")
        await anyio.sleep_forever()

    async with connected(script) as (session, inbox):
        shrink(session)
        assert await inbox.receive() == "after the flood"
        await session.close(timeout_s=0.1)


async def test_an_unsolicited_pong_is_ignored() -> None:
    """A pong that nobody asked for is no fault."""

    async def script(peer: Peer) -> None:
        await peer.send(Opcode.PONG, b"heartbeat")
        await peer.text("fine")

    async with connected(script) as (_session, inbox):
        assert await inbox.receive() == "fine"


async def test_leaving_says_goodbye_and_waits_for_it() -> None:
    """The peer gets our last message and our close although it has sent data that nobody read."""
    heard: list[Frame] = []
    done = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.text("unread " * 10_000)
        await anyio.sleep(0.05)
        heard.extend([await peer.frame(), await peer.frame()])
        await peer.close()
        done.set()

    async with listening(websocket(script)) as port:
        async with open_websocket(Address(f"http://127.0.0.1:{port}/", {}), None) as session:
            await session.listen(lambda message: None)
            await session.send("last words")
        await done.wait()

    assert heard == [Frame(Opcode.TEXT, b"last words"), Frame(Opcode.CLOSE, b"\x03\xe8")]


async def test_messages_that_come_during_the_close_can_be_received() -> None:
    """What the peer says before its own close frame is kept."""

    async def script(peer: Peer) -> None:
        assert (await peer.frame()).opcode is Opcode.CLOSE
        await peer.text("the bill")
        await peer.close(1000, "bye")

    async with connected(script) as (session, inbox):
        await session.close()
        assert await inbox.receive() == "the bill"
        with pytest.raises(Closed):
            await inbox.receive()

        assert session.close_code == 1000


async def test_close_is_bounded_when_the_peer_never_answers() -> None:
    """A peer that does not say goodbye is left after the timeout, and more calls do not wait again."""
    async with connected(deafness) as (session, _inbox):
        started_s = anyio.current_time()
        await session.close(timeout_s=0.2)
        await session.close(timeout_s=PROMPT_S)

        assert 0.15 < anyio.current_time() - started_s < PROMPT_S
        assert session.close_code == 1006


async def test_close_is_bounded_when_the_peer_reads_nothing() -> None:
    """A full connection does not hold up the close, and the sender that filled it is told."""
    outcomes: list[BaseException] = []

    async def fill() -> None:
        try:
            while True:
                await session.send(b"x" * 1_000_000)
        except Closed as closed:
            outcomes.append(closed)

    async with connected(deafness) as (session, _inbox), anyio.create_task_group() as tasks:
        shrink(session)
        tasks.start_soon(fill)
        await anyio.sleep(0.1)
        started_s = anyio.current_time()
        await session.close(timeout_s=0.2)

        assert anyio.current_time() - started_s < PROMPT_S

    assert len(outcomes) == 1


async def test_a_flood_during_the_close_is_bounded() -> None:
    """A peer that talks on and on instead of saying goodbye is left."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.text("blah " * 10_000)

    async with connected(script, max_message_bytes=100_000) as (session, _inbox):
        started_s = anyio.current_time()
        await session.close(timeout_s=0.3)

        assert anyio.current_time() - started_s < PROMPT_S


async def test_the_peers_close_is_remembered() -> None:
    """The peer's reason is raised by every later call, also for a second waiter, and its code is echoed."""
    echoed: list[Frame] = []
    raised: list[RunnerError] = []

    async def script(peer: Peer) -> None:
        await anyio.sleep(0.05)
        await peer.text("before")
        await peer.close(1001, "Your session hit the maximum duration of 60 minutes.")
        echoed.append(await peer.frame())
        await peer.hang_up()

    async def wait(session: WebSocket) -> None:
        try:
            while True:
                await inbox.receive()
        except RunnerError as error:
            raised.append(error)

    async with connected(script) as (session, inbox):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, session)
            tasks.start_soon(wait, session)
        with pytest.raises(EndpointBusy):
            await inbox.receive()
        with pytest.raises(EndpointBusy, match="60 minutes") as caught:
            await session.send("too late")
        await session.close()

        assert raised == [caught.value, caught.value]
        assert session.close_code == 1001

    assert [bytes(frame.data) for frame in echoed] == [b"\x03\xe9"]


async def test_messages_before_the_peers_close_are_received_first() -> None:
    """An end does not swallow what came before it in the same read."""

    async def script(peer: Peer) -> None:
        one, close = Frame(Opcode.TEXT, b"one"), Frame(Opcode.CLOSE, b"\x03\xe8")
        await peer.stream.send(one.serialize(mask=False) + close.serialize(mask=False))

    async with connected(script) as (_session, inbox):
        assert await inbox.receive() == "one"
        with pytest.raises(EndpointUnreachable, match="1000"):
            await inbox.receive()


async def test_a_drop_without_a_close_is_an_error() -> None:
    """A connection that just ends is 1006, for receivers and senders."""
    async with connected(Peer.hang_up) as (session, inbox):
        with pytest.raises(EndpointUnreachable, match="lost without a close"):
            await inbox.receive()
        with pytest.raises(EndpointUnreachable, match="lost without a close"):
            await session.send("anyone?")

        assert session.close_code == 1006


async def test_a_failed_send_tells_the_peers_reason() -> None:
    """When writing fails, the close frame that is still to be read says why."""

    async def script(peer: Peer) -> None:
        await peer.close(4000, "invalid_request_error.beta_api_shape_disabled")
        await peer.hang_up()

    async with connected(script) as (session, _inbox):
        await anyio.sleep(0.1)
        with contextlib.suppress(ProtocolError):
            for _ in range(100):
                await session.send("x" * 100_000)
                await anyio.sleep(0.01)
        with pytest.raises(ProtocolError, match="4000"):
            await session.send("x")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (bytes((0x82, 127)) + (1 << 33).to_bytes(8), 1009),
        (b"\x81\x02\xc3\x28", 1007),
        (b"\xc1\x00", 1002),
        (b"\x81\x80abcd", 1002),
    ],
)
async def test_broken_frames_end_the_connection(data: bytes, code: int) -> None:
    """Faults of the peer are answered with the right close code, and raised after what came before."""
    answers: list[Frame] = []

    async def script(peer: Peer) -> None:
        await peer.text("fine")
        await peer.stream.send(data)
        answers.append(await peer.frame())
        await peer.hang_up()

    async with connected(script) as (_session, inbox):
        assert await inbox.receive() == "fine"
        for _ in range(2):
            with pytest.raises(ProtocolError, match="the endpoint sent"):
                await inbox.receive()

    assert answers == [Frame(Opcode.CLOSE, code.to_bytes(2))]


async def test_a_message_of_the_largest_size_passes() -> None:
    """The limit is the settings' own."""

    async def script(peer: Peer) -> None:
        await peer.text("x" * 2048)
        await peer.text("x" * 2049)

    async with connected(script, max_message_bytes=2048) as (_session, inbox):
        assert await inbox.receive() == "x" * 2048
        with pytest.raises(ProtocolError, match="2048"):
            await inbox.receive()


@pytest.mark.parametrize("tls", [False, True])
async def test_a_cancelled_send_still_goes_out_whole(pki: Pki, *, tls: bool) -> None:
    """Giving up on a send to a slow peer leaves no half frame: the next message arrives intact."""
    frames: list[int] = []
    given_up = anyio.Event()

    async def script(peer: Peer) -> None:
        stop_reading(peer)
        await given_up.wait()
        frames.extend([len((await peer.frame()).data), len((await peer.frame()).data)])

    async with connected(script, pki if tls else None) as (session, _inbox):
        shrink(session)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.send, b"x" * 1_500_000)
            await anyio.sleep(0.05)
            tasks.cancel_scope.cancel()
            given_up.set()
        await session.send(b"whole")

    assert frames == [1_500_000, 5]


async def test_a_send_cut_off_by_asyncio_goes_out_whole(anyio_backend: Any) -> None:
    """Asyncio's own timeout cannot be shielded from, and need not be: what was begun is sent all the same."""
    if anyio_backend == "trio":
        return
    frames: list[int] = []
    given_up = anyio.Event()

    async def script(peer: Peer) -> None:
        stop_reading(peer)
        await given_up.wait()
        frames.extend([len((await peer.frame()).data), len((await peer.frame()).data)])

    async with connected(script) as (session, _):
        shrink(session)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await session.send(b"x" * 1_500_000)
        given_up.set()
        await session.send(b"whole")

    assert frames == [1_500_000, 5]


async def test_a_sender_leaves_others_their_turn() -> None:
    """A peer that takes everything at once does not let a sender in a loop hold up the rest of the process."""
    turns = 0

    async def script(peer: Peer) -> None:
        while len((await peer.frame()).data) > 1:
            pass

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await checkpoint()
            turns += 1

    async with connected(script) as (session, _), anyio.create_task_group() as tasks:
        tasks.start_soon(take_turns)
        await checkpoint()
        before = turns
        for _ in range(500):
            await session.send(b"x" * 1000)
        await session.send(b"x")
        tasks.cancel_scope.cancel()

    assert turns - before >= 5


async def test_what_a_listener_raises_ends_the_connection() -> None:
    """A fault of ours is told to the peer as 1011 and leaves where somebody waits for the end, as it is."""
    answers: list[Frame] = []

    async def script(peer: Peer) -> None:
        await peer.text("one", "two")
        answers.append(await peer.frame())
        await peer.hang_up()

    taken: list[bytes] = []

    def take(message: bytes) -> None:
        taken.append(message)
        raise LookupError("mine")

    async with (
        listening(websocket(script)) as port,
        open_websocket(Address(f"http://127.0.0.1:{port}/", {}), None) as session,
    ):
        await session.listen(take)
        with pytest.raises(LookupError, match="mine"):
            await session.ended()

    assert taken == [b"one"]
    assert answers == [Frame(Opcode.CLOSE, b"\x03\xf3")]


async def test_a_listener_runs_in_the_context_of_its_caller() -> None:
    """What a task has bound to its context, such as the keys of log lines, holds for what it listens to."""
    name: ContextVar[str] = ContextVar("name", default="nobody")
    seen: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.text("who is there")
        await peer.frame()
        await peer.close()

    async with (
        listening(websocket(script)) as port,
        open_websocket(Address(f"http://127.0.0.1:{port}/", {}), None) as session,
    ):
        name.set("caller")
        heard = anyio.Event()

        def take(_message: bytes) -> None:
            seen.append(name.get())
            heard.set()

        await session.listen(take)
        await heard.wait()

    assert seen == ["caller"]


@pytest.mark.parametrize("broken", [False, True], ids=["in the midst of a read", "without one"])
async def test_the_end_is_notified_once_and_in_the_context_of_the_caller(broken: bool) -> None:
    """The end may come with a frame or without one."""
    name: ContextVar[str] = ContextVar("name", default="nobody")
    told: list[tuple[str, Exception]] = []

    async def script(peer: Peer) -> None:
        if broken:
            await peer.hang_up()
        else:
            await peer.close(1013)
            await peer.frame()

    async with (
        listening(websocket(script)) as port,
        open_websocket(Address(f"http://127.0.0.1:{port}/", {}), None) as session,
    ):
        name.set("caller")
        await session.listen(lambda message: None, lambda end: told.append((name.get(), end)))
        with pytest.raises(RunnerError) as caught:
            await session.ended()

    assert told == [("caller", caught.value)]


async def test_what_goes_wrong_at_the_end_leaves_from_the_block() -> None:
    """Nobody needs to wait for it."""

    async def script(peer: Peer) -> None:
        await peer.close()
        await peer.frame()

    def over(_end: Exception) -> None:
        raise LookupError("mine")

    async def held(port: int) -> None:
        async with open_websocket(Address(f"http://127.0.0.1:{port}/", {}), None) as session:
            await session.listen(lambda message: None, over)
            await anyio.sleep_forever()

    async with listening(websocket(script)) as port:
        with pytest.raises(ExceptionGroup) as caught:
            await held(port)

    assert caught.group_contains(LookupError, match="mine")


async def test_a_binary_message_is_handed_on_as_nothing() -> None:
    """The protocol has none, and no event is empty."""

    async def script(peer: Peer) -> None:
        await peer.send(Opcode.BINARY, b"\x00\xff")
        await peer.text("words")

    async with connected(script) as (_, inbox):
        assert [await inbox.receive(), await inbox.receive()] == ["", "words"]


async def test_a_cancelled_send_that_has_not_begun_costs_nothing() -> None:
    """A sender that waits for its turn can be cancelled without harm."""
    sizes: list[int] = []
    given_up = anyio.Event()

    async def script(peer: Peer) -> None:
        stop_reading(peer)
        await given_up.wait()
        sizes.extend([len((await peer.frame()).data), len((await peer.frame()).data)])

    async with connected(script) as (session, _inbox), anyio.create_task_group() as tasks:
        shrink(session)
        tasks.start_soon(session.send, b"x" * 1_500_000)
        await anyio.sleep(0.05)
        with anyio.move_on_after(0.05) as waiting:
            await session.send(b"never sent")
        given_up.set()
        await session.send(b"y")

        assert waiting.cancelled_caught

    assert sizes == [1_500_000, 1]


async def test_senders_do_not_interleave() -> None:
    """Frames of senders at the same time stay whole."""
    sizes: list[int] = []
    count = 16

    async def script(peer: Peer) -> None:
        for _ in range(count):
            data = bytes((await peer.frame()).data)
            assert len(set(data)) == 1
            sizes.append(len(data))

    async with connected(script) as (session, _inbox):
        shrink(session)
        async with anyio.create_task_group() as tasks:
            for index in range(count):
                tasks.start_soon(session.send, bytes((index,)) * (index * 5_000 + 1))

    assert sorted(sizes) == [index * 5_000 + 1 for index in range(count)]


async def test_a_peer_that_takes_no_data_is_lost() -> None:
    """A write that makes no progress for the ping timeout ends the connection."""
    async with connected(deafness, ping_timeout_s=0.3) as (session, inbox):
        shrink(session)
        with pytest.raises(EndpointUnreachable, match=r"took no data for 0\.3 s"):
            await session.send(b"x" * 1_500_000)
        with pytest.raises(EndpointUnreachable, match="took no data"):
            await inbox.receive()


async def test_a_slow_peer_is_not_lost_in_a_large_message() -> None:
    """As long as the peer takes data, a message may take longer than the ping timeout; pings wait for their turn."""
    size_bytes = 4_000_000
    took: list[float] = []

    async def script(peer: Peer) -> None:
        raw = peer.stream.extra(anyio.abc.SocketAttribute.raw_socket)  # noqa: S610  # no Django here
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        started_s, left_bytes = anyio.current_time(), size_bytes
        while left_bytes > 0:
            left_bytes -= len(await peer.stream.receive(65536))
            await anyio.sleep(0.02)
        took.append(anyio.current_time() - started_s)
        await peer.stream.send(Frame(Opcode.TEXT, b"got it").serialize(mask=False))
        await anyio.sleep_forever()

    async with connected(script, ping_interval_s=0.2, ping_timeout_s=1) as (session, inbox):
        shrink(session)
        await session.send(b"x" * size_bytes)

        assert await inbox.receive() == "got it"
        await session.close(timeout_s=0.1)

    assert took[0] > 1


async def test_a_close_without_patience_frees_a_sender_at_once() -> None:
    """Whoever is in the middle of a large message is told that the connection is closed."""
    freed_s: list[float] = []

    async def fill(session: WebSocket) -> None:
        with pytest.raises(Closed):
            await session.send(b"x" * 4_000_000)
        freed_s.append(anyio.current_time())

    async with connected(deafness) as (session, _inbox), anyio.create_task_group() as tasks:
        shrink(session)
        tasks.start_soon(fill, session)
        await anyio.sleep(0.1)
        started_s = anyio.current_time()
        await session.close(timeout_s=0)

    assert freed_s[0] - started_s < PROMPT_S


async def test_a_silent_peer_is_lost() -> None:
    """A peer that does not answer pings ends a waiting receive, in time."""
    started_s = anyio.current_time()
    async with connected(deafness, ping_interval_s=0.1, ping_timeout_s=0.2) as (session, inbox):
        with pytest.raises(EndpointUnreachable, match=r"did not answer a ping within 0\.2 s"):
            await inbox.receive()
        with pytest.raises(EndpointUnreachable, match="did not answer a ping"):
            await session.send("hello?")

        assert 0.2 < anyio.current_time() - started_s < PROMPT_S


async def test_any_byte_is_a_sign_of_life() -> None:
    """A peer that answers no ping but goes on sending is alive, even in the middle of a long message."""

    async def script(peer: Peer) -> None:
        message = Frame(Opcode.TEXT, b"slowly " * 12).serialize(mask=False)
        for index in range(len(message)):
            await peer.stream.send(message[index : index + 1])
            await anyio.sleep(0.005)

    async with connected(script, ping_interval_s=0.1, ping_timeout_s=0.2) as (_session, inbox):
        assert await inbox.receive() == "slowly " * 12


async def test_a_stall_of_this_process_is_not_the_peers_fault() -> None:
    """A process that was stopped longer than the ping timeout looks for the answer before it gives up."""
    pinged = threading.Event()

    def serve_slowly(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(upgrade(connection.recv(65536)))
            while data := connection.recv(65536):
                pinged.set()
                time.sleep(0.1)
                kind, answer = (Opcode.CLOSE, b"\x03\xe8") if data[0] == 0x88 else (Opcode.PONG, b"")
                connection.sendall(Frame(kind, answer).serialize(mask=False))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_slowly, args=(listener,))
        thread.start()
        address = Address(f"http://127.0.0.1:{listener.getsockname()[1]}/", {})
        async with open_websocket(address, Network(ping_interval_s=0.1, ping_timeout_s=0.4)) as session:
            await session.listen(lambda message: None)
            while not pinged.is_set():  # noqa: ASYNC110  # a thread sets it
                await anyio.sleep(0.005)
            time.sleep(0.6)  # noqa: ASYNC251  # the stall
            await anyio.sleep(0.15)

            assert session.close_code is None
        thread.join()


async def test_pings_go_out_at_the_interval() -> None:
    """A peer that is only spoken to sees our pings."""
    pings: list[float] = []

    async def script(peer: Peer) -> None:
        for _ in range(3):
            assert (await peer.frame()).opcode is Opcode.PING
            pings.append(time.monotonic())
            await peer.send(Opcode.PONG)
        await peer.text("enough")

    async with connected(script, ping_interval_s=0.1) as (_session, inbox):
        assert await inbox.receive() == "enough"

    assert 0.15 < pings[2] - pings[0] < PROMPT_S


@pytest.mark.parametrize("error", [LookupError("mine"), ExceptionGroup("mine", [ValueError("too")]), Closed("over")])
async def test_errors_of_the_block_leave_as_they_are(error: Exception) -> None:
    """No task group wraps what the caller's code raises, groups of its own included."""
    async with listening(websocket(polite)) as port:
        with pytest.raises(type(error)) as caught:
            async with open_websocket(Address(f"http://127.0.0.1:{port}/", {}), None):
                raise error

    assert caught.value is error


async def test_a_cancelled_block_is_left_in_time() -> None:
    """Cancellation passes, after a short goodbye, and nothing stays open."""
    streams = []
    async with listening(websocket(deafness)) as port:
        with anyio.CancelScope() as limit:
            async with open_websocket(Address(f"http://127.0.0.1:{port}/", {}), None) as session:
                streams.append(session.stream)
                inbox = await Inbox.of(session)
                limit.deadline = anyio.current_time() + 0.1
                await inbox.receive()

        assert limit.cancelled_caught
        assert anyio.current_time() - limit.deadline < PROMPT_S
        assert streams[0].get_extra_info("socket").fileno() == -1


async def test_asyncios_own_timeout_passes_through(anyio_backend: Any) -> None:
    """`asyncio.timeout` around the whole block works as it does around anything."""
    if anyio_backend == "trio":
        return
    async with listening(websocket(polite)) as port:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), open_websocket(Address(f"http://127.0.0.1:{port}/", {}), None) as session:
                await (await Inbox.of(session)).receive()
        await checkpoint()


@pytest.mark.parametrize("tls", [False, True])
async def test_an_end_is_noticed_at_once(pki: Pki, *, tls: bool) -> None:
    """A peer that hangs up ends the session without any wait, over TLS by its farewell there too."""

    async def script(peer: Peer) -> None:
        await peer.text("bye")
        await peer.hang_up()

    async with connected(script, pki if tls else None) as (session, inbox):
        assert await inbox.receive() == "bye"
        with anyio.fail_after(PROMPT_S), pytest.raises(EndpointUnreachable, match="lost without a close"):
            await session.ended()


@pytest.mark.parametrize("tls", [False, True])
async def test_a_goodbye_on_both_sides_takes_no_time(pki: Pki, *, tls: bool) -> None:
    """Nobody waits for what has been said already."""
    async with connected(silence, pki if tls else None) as (session, _):
        started_s = anyio.current_time()
        await session.close(timeout_s=PROMPT_S)

        assert anyio.current_time() - started_s < PROMPT_S


async def test_a_tls_peer_that_only_says_goodbye_has_ended(pki: Pki) -> None:
    """The end of TLS is the end, even where the connection below stays open."""
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = pki.server.wrap_bio(incoming, outgoing, server_side=True)

        def exchange(step: Callable[[], Any]) -> Any:
            while True:
                try:
                    done = step()
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(65536))
                else:
                    connection.sendall(outgoing.read())
                    return done

        with connection:
            exchange(tls.do_handshake)
            answer = upgrade(exchange(lambda: tls.read(65536)))
            exchange(lambda: tls.write(answer))
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.unwrap()
            connection.sendall(outgoing.read())
            over.wait(5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        address = Address(f"https://127.0.0.1:{listener.getsockname()[1]}/", {})
        try:
            async with open_websocket(address, Network(ca_file=pki.authority)) as session:
                await session.listen(lambda message: None)
                with anyio.fail_after(PROMPT_S), pytest.raises(EndpointUnreachable, match="lost without a close"):
                    await session.ended()
        finally:
            over.set()
            thread.join()


async def test_a_connection_that_breaks_before_anybody_listens_is_lost() -> None:
    """What happened between the handshake and the first look is told as any other end."""

    async def script(peer: Peer) -> None:
        linger = struct.pack("ii", 1, 0)
        raw = peer.stream.extra(anyio.abc.SocketAttribute.raw_socket)  # noqa: S610  # no Django here
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await peer.hang_up()

    async with (
        listening(websocket(script)) as port,
        open_websocket(Address(f"http://127.0.0.1:{port}/", {}), None) as session,
    ):
        await anyio.sleep(0.1)
        await session.listen(lambda message: None)
        with anyio.fail_after(PROMPT_S), pytest.raises(EndpointUnreachable, match="lost without a close"):
            await session.ended()


async def test_nothing_is_sent_after_a_goodbye() -> None:
    """A sender in the middle of a close is told, instead of believing that its message went out."""

    async def script(peer: Peer) -> None:
        await anyio.sleep(0.2)

    async with connected(script) as (session, _), anyio.create_task_group() as tasks:
        tasks.start_soon(session.close)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(Closed):
            await session.ready()


async def test_what_a_listener_raises_during_our_close_is_not_lost() -> None:
    """A fault of ours counts more than an end that was asked for."""

    async def script(peer: Peer) -> None:
        await peer.frame()
        await peer.text("last words")
        await peer.close()

    def take(_message: bytes) -> None:
        raise LookupError("mine")

    async with (
        listening(websocket(script)) as port,
        open_websocket(Address(f"http://127.0.0.1:{port}/", {}), None) as session,
    ):
        await session.listen(take)
        await session.close()
        with pytest.raises(LookupError, match="mine"):
            await session.ended()
