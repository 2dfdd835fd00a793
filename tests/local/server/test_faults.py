"""Every fault happens to a real client, on the connections and at the moment that the script says."""

import io
import json
import socket as sockets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import httpcore
import httpx
import httpx_ws
import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection

from runner import logs
from runner.errors import ProfileError
from runner.local.server.app import LocalApp
from runner.local.server.faulty_stream import EXTENSION
from runner.local.server.inprocess import InProcessBackend
from runner.local.session.fault_plan import ConnectionFaults, FaultPlan
from runner.profile import load_profile
from runner.settings.endpoint import LocalEndpoint
from runner.settings.faults import CloseFault, DropFault
from tests.helpers.local_client import (
    PATIENCE_S,
    dial,
    heard,
    heard_until,
    in_thread,
    listening,
    settings,
    told,
    user_message,
)
from tests.helpers.log_capture import log_restored
from tests.local.server.test_http_server import UPGRADE

pytestmark = pytest.mark.anyio
T = TypeVar("T")
Lines = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def logged() -> Iterator[Lines]:
    """The lines of the log that have this event."""
    stream = io.StringIO()
    with log_restored():
        logs.configure(level="info", format="json", stream=stream)
        yield lambda event: [line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == event]


@asynccontextmanager
async def failing(*faults: dict[str, Any], **fields: Any) -> AsyncIterator[int]:
    """The port of an endpoint with faults."""
    async with listening(LocalApp(settings(faults=list(faults), **fields))) as port:
        yield port


async def client_of(script: Callable[[ClientConnection], T], *faults: dict[str, Any], **options: Any) -> T:
    """What a client does on the first connection to an endpoint with faults."""
    async with failing(*faults) as port:

        def run() -> T:
            with dial(port, **options) as socket:
                return script(socket)

        return await in_thread(run)


def raw(socket: ClientConnection) -> Any:
    """The next event, which may be one that no protocol has."""
    return json.loads(socket.recv(timeout=PATIENCE_S))


def update(socket: ClientConnection, **fields: Any) -> None:
    """Ask for the session to stay as it is."""
    told(socket, "session.update", session={"type": "realtime"}, **fields)


def nothing_comes(socket: ClientConnection) -> bool:
    """Whether a moment passes without a message."""
    try:
        socket.recv(timeout=0.3)
    except TimeoutError:
        return True
    return False


def ending(socket: ClientConnection) -> ConnectionClosed:
    """How the connection ends; what comes before is passed over."""
    while True:
        try:
            socket.recv(timeout=PATIENCE_S)
        except ConnectionClosed as closed:
            return closed


async def test_refused_handshakes_tell_why_and_when_to_come_back() -> None:
    """The status, the API's JSON and `Retry-After` are the script's; the next connection is served."""
    fault = {
        "kind": "refuse",
        "status": 429,
        "code": "rate_limit_exceeded",
        "message": "Slow down.",
        "retry_after_s": 7,
    }
    async with failing(fault) as port:

        def script() -> tuple[Any, str]:
            with pytest.raises(InvalidStatus) as caught:
                dial(port)
            with dial(port) as socket:
                return caught.value.response, heard(socket)["type"]

        response, then = await in_thread(script)

    error = {"type": "invalid_request_error", "code": "rate_limit_exceeded", "message": "Slow down.", "param": None}
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert json.loads(response.body) == {"error": error}
    assert then == "session.created"


@pytest.mark.parametrize("status", [401, 503, 529])
async def test_any_error_status_can_be_sent(status: int) -> None:
    """HTTP need not know the status."""
    async with failing({"kind": "refuse", "status": status}) as port:

        def script() -> int:
            with pytest.raises(InvalidStatus) as caught:
                dial(port)
            return int(caught.value.response.status_code)

        assert await in_thread(script) == status


async def test_a_delayed_handshake_is_late() -> None:
    """The handshake takes as long as the script says, and then all is well."""
    async with failing({"kind": "delay", "delay_s": 0.4}) as port:

        def script() -> float:
            start = time.monotonic()
            with dial(port) as socket:
                taken_s = time.monotonic() - start
                assert heard(socket)["type"] == "session.created"
            return taken_s

        assert await in_thread(script) >= 0.4


async def test_a_silent_endpoint_answers_pings_only() -> None:
    """No event comes, whatever the client says."""

    def script(socket: ClientConnection) -> tuple[bool, bool]:
        update(socket)
        return nothing_comes(socket), socket.ping().wait(PATIENCE_S)

    assert await client_of(script, {"kind": "silent"}) == (True, True)


async def test_a_slow_endpoint_dribbles() -> None:
    """A message takes the time that its size says, and is whole."""
    start = time.monotonic()
    event = await client_of(heard, {"kind": "slow", "bytes_per_s": 3000})

    assert time.monotonic() - start >= len(json.dumps(event)) / 3000 * 0.8


async def test_an_early_end_is_announced() -> None:
    """`expires_at` is not later than the end, which is `session_expired` and close 1001."""

    def script(socket: ClientConnection) -> tuple[int, Any, float, Any]:
        expires_at = heard(socket)["session"]["expires_at"]
        error = heard(socket)["error"]
        return expires_at, error, time.time(), ending(socket).rcvd

    before = time.time()
    expires_at, error, ended_at, close = await client_of(script, {"kind": "expire", "after_s": 0.6})

    assert int(before + 0.6) <= expires_at <= ended_at
    assert error["code"] == "session_expired"
    assert close.code == 1001


async def test_drift_changes_what_is_shown() -> None:
    """Only what the script names is another in `session.updated`."""

    def script(socket: ClientConnection) -> tuple[Any, Any]:
        created = heard(socket)["session"]
        update(socket)
        return created, raw(socket)["session"]

    created, updated = await client_of(script, {"kind": "drift", "settings": {"audio": {"output": {"voice": "other"}}}})

    assert updated["audio"]["output"].pop("voice") == "other"
    assert created["audio"]["output"].pop("voice") == "marin"
    assert updated == created


async def test_refused_updates_name_the_clients_event() -> None:
    """The error has the script's words and the client's event id, and the session goes on."""

    def script(socket: ClientConnection) -> Any:
        heard(socket)
        update(socket, event_id="mine")
        error = heard(socket)["error"]
        told(socket, "conversation.item.create", item=user_message("Hello"))
        assert heard(socket)["type"] == "conversation.item.added"
        return error

    error = await client_of(script, {"kind": "refuse-update", "code": "unknown_parameter", "param": "session.x"})

    assert (error["code"], error["param"], error["event_id"]) == ("unknown_parameter", "session.x", "mine")


async def test_responses_fail_as_often_as_the_script_says() -> None:
    """A failed response has an error and no item; the one after it is answered."""

    def script(socket: ClientConnection) -> list[Any]:
        heard(socket)
        responses = []
        for _ in range(2):
            told(socket, "response.create", response={"output_modalities": ["text"]})
            event = raw(socket)
            while event["type"] != "response.done":
                event = raw(socket)
            responses.append(event["response"])
        return responses

    failed, completed = await client_of(script, {"kind": "response-failed", "code": "rate_limit_exceeded"})

    assert (failed["status"], failed["output"]) == ("failed", [])
    assert failed["status_details"]["error"]["code"] == "rate_limit_exceeded"
    assert (completed["status"], len(completed["output"])) == ("completed", 1)


async def test_a_failing_response_can_be_cancelled() -> None:
    """A cancel that comes before the failure ends it."""

    def script(socket: ClientConnection) -> Any:
        heard(socket)
        told(socket, "response.create")
        told(socket, "response.cancel")
        return heard_until(socket, "response.done")[-1]["response"]["status"]

    async with failing({"kind": "response-failed"}, delta_interval_ms=2000) as port:

        def run() -> Any:
            with dial(port) as socket:
                return script(socket)

        assert await in_thread(run) == "cancelled"


async def test_a_drop_has_no_close_frame() -> None:
    """The connection is cut after exactly so many events."""

    def script(socket: ClientConnection) -> tuple[int, ConnectionClosed]:
        count = 0
        heard(socket)
        told(socket, "conversation.item.create", item=user_message("Hello"))
        try:
            while True:
                socket.recv(timeout=PATIENCE_S)
                count += 1
        except ConnectionClosedError as closed:
            return count, closed

    count, closed = await client_of(script, {"kind": "drop", "after_events": 2})

    assert count == 1
    assert closed.rcvd is None


async def test_a_close_has_its_code_and_reason() -> None:
    """The close frame is the script's; by default it comes after the second event."""

    def script(socket: ClientConnection) -> Any:
        assert heard(socket)["type"] == "session.created"
        update(socket)
        assert heard(socket)["type"] == "session.updated"
        return ending(socket).rcvd

    close = await client_of(script, {"kind": "close", "code": 4321, "reason": "enough"})

    assert (close.code, close.reason) == (4321, "enough")


async def test_a_fault_may_come_by_the_clock() -> None:
    """`after_s` counts from the handshake, whatever is said."""
    start = time.monotonic()
    closed = await client_of(ending, {"kind": "close", "after_s": 0.4})

    assert closed.rcvd
    assert closed.rcvd.code == 1011
    assert time.monotonic() - start >= 0.4


async def test_a_stalled_endpoint_reads_and_answers_pings() -> None:
    """After its moment no event comes; pongs do, and the closing handshake works."""

    def script(socket: ClientConnection) -> tuple[bool, bool, Any]:
        heard(socket)
        update(socket)
        silent, answered = nothing_comes(socket), socket.ping().wait(PATIENCE_S)
        socket.close()
        return silent, answered, socket.protocol.close_rcvd

    silent, answered, close = await client_of(script, {"kind": "stall", "after_events": 1})

    assert (silent, answered, close.code) == (True, True, 1000)


async def test_a_dead_peer_keeps_the_socket_open() -> None:
    """Neither events nor pongs come, and nothing is closed."""

    def script(socket: ClientConnection) -> tuple[bool, bool]:
        heard(socket)
        update(socket)
        answered = socket.ping().wait(0.3)
        silent = nothing_comes(socket)
        socket.socket.shutdown(sockets.SHUT_RDWR)
        return answered, silent

    assert await client_of(script, {"kind": "no-pong", "after_events": 1}) == (False, True)


async def test_a_deaf_endpoint_stalls_writes_and_still_speaks() -> None:
    """The client cannot send for ever, yet an event arrives."""
    async with failing({"kind": "deaf", "after_events": 1}, {"kind": "error", "after_s": 0.5}) as port:

        def script() -> tuple[bool, bytes]:
            with sockets.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
                connection.sendall(UPGRADE)
                received = b""
                while b"session.created" not in received:
                    received += connection.recv(65536)
                stalled = False
                try:
                    for _ in range(64):
                        connection.sendall(b"\x82\xff" + (1 << 20).to_bytes(8, "big") + bytes(4 + (1 << 20)))
                except TimeoutError:
                    stalled = True
                connection.settimeout(PATIENCE_S)
                while b"on purpose" not in received:
                    received += connection.recv(65536)
                return stalled, received

        stalled, received = await in_thread(script)

    assert stalled
    assert b'"type":"error"' in received


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "error", "code": "overloaded"}, {"type": "error"}),
        ({"kind": "rate-limits", "reset_seconds": 3.5}, {"type": "rate_limits.updated"}),
        ({"kind": "duplicate"}, {"type": "session.created"}),
    ],
)
async def test_events_that_the_protocol_has(fault: dict[str, Any], expected: dict[str, Any]) -> None:
    """They are well formed, come once, and the session goes on."""

    def script(socket: ClientConnection) -> Any:
        first, strange = heard(socket), heard(socket)
        if fault["kind"] == "duplicate":
            assert strange == first
        update(socket)
        assert heard(socket)["type"] == "session.updated"
        return strange

    strange = await client_of(script, {**fault, "after_events": 1})

    assert expected.items() <= strange.items()
    if fault["kind"] == "error":
        assert (strange["error"]["code"], strange["error"]["event_id"]) == ("overloaded", None)
    if fault["kind"] == "rate-limits":
        assert {(each["remaining"], each["reset_seconds"]) for each in strange["rate_limits"]} == {(0, 3.5)}


@pytest.mark.parametrize("kind", ["unknown-event", "malformed", "binary"])
async def test_messages_that_the_protocol_has_not(kind: str) -> None:
    """They arrive between two events, and the session goes on."""

    def script(socket: ClientConnection) -> str | bytes:
        heard(socket)
        strange = socket.recv(timeout=PATIENCE_S)
        update(socket)
        assert heard(socket)["type"] == "session.updated"
        return strange

    strange = await client_of(script, {"kind": kind, "after_events": 1})

    assert isinstance(strange, bytes) == (kind == "binary")
    if kind == "malformed":
        with pytest.raises(json.JSONDecodeError):
            json.loads(strange)
    if kind == "unknown-event":
        assert json.loads(strange)["type"] == "session.unheard_of"


async def test_an_oversized_event_has_its_size() -> None:
    """It is JSON of exactly so many bytes."""

    def script(socket: ClientConnection) -> str | bytes:
        heard(socket)
        return socket.recv(timeout=PATIENCE_S)

    fault = {"kind": "oversized", "size_bytes": 3_000_000, "after_events": 1}
    message = await client_of(script, fault, max_size=None)

    assert len(message) == 3_000_000
    assert json.loads(message)["type"] == "session.unheard_of"


@pytest.mark.parametrize(("kind", "code"), [("not-utf8", 1007), ("garbage", 1002), ("oversized", 1009)])
async def test_clients_refuse_what_breaks_websocket(kind: str, code: int) -> None:
    """A client that keeps to the rules closes with the code that they name."""
    closed = await client_of(ending, {"kind": kind, "after_events": 1})

    assert closed.sent
    assert closed.sent.code == code


@pytest.mark.parametrize("kind", ["drop", "no-pong", "deaf", "garbage", "not-utf8", "slow"])
async def test_other_servers_cannot_break_the_wire(kind: str, logged: Lines) -> None:
    """Without rt-run's own server such a fault ends the connection with 1011 and a line in the log."""
    app = LocalApp(settings(faults=[{"kind": kind} if kind == "slow" else {"kind": kind, "after_events": 1}]))

    async def hosted(scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"].pop(EXTENSION)
        await app(scope, receive, send)

    async with listening(hosted) as port:

        def script() -> Any:
            with dial(port) as socket:
                return ending(socket).rcvd

        close = await in_thread(script)

    assert close.code == 1011
    assert kind in close.reason
    assert [line["kind"] for line in logged("fault_impossible")] == [kind]


async def test_each_fault_is_logged_once(logged: Lines) -> None:
    """With its kind and its connection, and only when it happened."""
    faults = ({"kind": "refuse"}, {"kind": "drift", "settings": {"x": 1}}, {"kind": "drop", "after_events": 99})
    async with failing(*faults) as port:

        def script() -> None:
            with pytest.raises(InvalidStatus):
                dial(port)
            with dial(port) as socket:
                heard(socket)
                for _ in range(2):
                    update(socket)
                    raw(socket)

        await in_thread(script)

    assert [(line["kind"], line["connection"]) for line in logged("fault_injected")] == [("refuse", 1), ("drift", 2)]


async def test_connections_in_process_are_counted_too() -> None:
    """One application counts its connections wherever they come from; a drop ends the pipe in memory."""
    app = LocalApp(settings(faults=[{"kind": "drop", "after_events": 1}]))
    async with anyio.create_task_group() as tasks:
        transport = httpx.AsyncHTTPTransport()
        transport._pool = httpcore.AsyncConnectionPool(network_backend=InProcessBackend(app, tasks))
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as http:
            connecting: Any = httpx_ws.aconnect_ws("http://local/v1/realtime?model=m", http)
            async with connecting as socket:
                assert json.loads(await socket.receive_text())["type"] == "session.created"
                with anyio.fail_after(PATIENCE_S), pytest.raises(httpx_ws.WebSocketNetworkError):
                    await socket.receive_text()
            connecting = httpx_ws.aconnect_ws("http://local/v1/realtime?model=m", http)
            async with connecting as socket:
                await socket.send_json({"type": "session.update", "session": {"type": "realtime"}})
                events = [json.loads(await socket.receive_text())["type"] for _ in range(2)]

    assert events == ["session.created", "session.updated"]


@pytest.mark.parametrize("settle_s", [0, 0.1])
@pytest.mark.parametrize("kind", ["deaf", "no-pong", "slow"])
async def test_a_faulty_connection_does_not_outlive_the_server(kind: str, settle_s: float) -> None:
    """Cancelling ends deaf, dead and dribbling connections as soon as others, between frames and within one."""
    fault = {"kind": "slow", "bytes_per_s": 1} if kind == "slow" else {"kind": kind, "after_events": 0}
    async with failing(fault) as port:
        stream = await anyio.connect_tcp("127.0.0.1", port)
        await stream.send(UPGRADE)
        assert (await stream.receive()).startswith(b"HTTP/1.1 101 ")
        await anyio.sleep(settle_s)
        start = anyio.current_time()

    assert anyio.current_time() - start < 10
    await stream.aclose()


def plan(*faults: dict[str, Any], seed: int | None = None) -> FaultPlan:
    """A plan without I/O."""
    return FaultPlan(settings(faults=list(faults)).faults, seed)


def drops(connection: ConnectionFaults) -> list[str]:
    """What happens to a connection after two events."""
    return [fault.kind for fault in connection.due(events=2, age_s=0)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, "x...."),
        ({"times": 2}, "xx..."),
        ({"times": 0}, "xxxxx"),
        ({"first": 3}, "..x.."),
        ({"first": 2, "times": 0}, ".xxxx"),
        ({"chance": 0}, "....."),
    ],
)
def test_which_connections_a_fault_befalls(keys: dict[str, Any], expected: str) -> None:
    """`times`, `first` and `chance` decide."""
    planned = plan({"kind": "drop", **keys})

    assert "".join("x" if drops(planned.next_connection()) else "." for _ in range(5)) == expected


def test_chance_is_repeatable() -> None:
    """The same seed befalls the same connections: neither none nor all."""
    fault = {"kind": "drop", "chance": 0.5, "times": 0}
    first, second = (
        [bool(drops(planned.next_connection())) for _ in range(50)] for planned in (plan(fault, seed=1),) * 2
    )
    again = plan(fault, seed=1)

    assert first == [bool(drops(again.next_connection())) for _ in range(50)]
    assert first != second
    assert 5 < sum(first) < 45


def test_a_fault_is_spent_when_it_happens() -> None:
    """A connection that ended earlier leaves it to the next."""
    planned = plan({"kind": "drop", "after_events": 3})

    assert [list(planned.next_connection().due(events=count, age_s=0)) != [] for count in (2, 3, 3)] == [
        False,
        True,
        False,
    ]


def test_faults_of_a_kind_take_turns() -> None:
    """One claims the first connections, the other those after it."""
    planned = plan({"kind": "refuse", "status": 503, "times": 2}, {"kind": "refuse", "status": 429})
    claims = [planned.next_connection().claim("refuse") for _ in range(4)]

    assert [claim and claim.status for claim in claims] == [503, 503, 429, None]


def test_a_connection_keeps_its_fault() -> None:
    """Asking again does not spend it again."""
    planned = plan({"kind": "refuse"})
    connection = planned.next_connection()

    assert connection.claim("refuse") is connection.claim("refuse")
    assert planned.next_connection().claim("refuse") is None


def test_connections_at_once_share_what_is_left() -> None:
    """A fault for one connection befalls one, though both might have had it."""
    planned = plan({"kind": "drop"})
    first, second = planned.next_connection(), planned.next_connection()

    assert (drops(second), drops(first), drops(second)) == (["drop"], [], [])


def test_what_nobody_waits_for_does_not_happen() -> None:
    """Whoever ends a connection at the first fault leaves the next one to another connection."""
    planned = plan({"kind": "drop"}, {"kind": "close"})

    assert isinstance(next(planned.next_connection().due(events=2, age_s=0)), DropFault)
    assert isinstance(next(planned.next_connection().due(events=2, age_s=0)), CloseFault)


def test_moments_by_the_clock() -> None:
    """They are told in order, and are due from then on."""
    connection = plan(
        {"kind": "stall", "after_s": 2}, {"kind": "binary", "after_s": 0.5}, {"kind": "drop"}
    ).next_connection()

    assert connection.due_times_s() == [0.5, 2]
    assert [fault.kind for fault in connection.due(events=0, age_s=0.5)] == ["binary"]
    assert [fault.kind for fault in connection.due(events=0, age_s=2)] == ["stall"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ('{ kind = "drpo" }', 'endpoint.faults.0.kind: must be "refuse", "delay"'),
        ("{ times = 1 }", "endpoint.faults.0.kind: is missing"),
        ('{ kind = "drop", tims = 1 }', "endpoint.faults.0.tims: unknown key; did you mean times?"),
        ('{ kind = "drop", after_events = 1, after_s = 1 }', "after_events and after_s exclude each other"),
        ('{ kind = "delay" }', "endpoint.faults.0.delay_s: is missing"),
        ('{ kind = "close", code = 1006 }', "endpoint.faults.0.code: no close frame may carry 1006"),
        ('{ kind = "duplicate", after_events = 0 }', "endpoint.faults.0.after_events: must be greater"),
        ('{ kind = "refuse", status = 200 }', "endpoint.faults.0.status: must be greater"),
    ],
)
def test_faulty_faults_are_reported_with_their_place(tmp_path: Path, fault: str, message: str) -> None:
    """The profile's file and line, the key, and what may stand there."""
    path = tmp_path / "x.toml"
    path.write_text(f'version = 1\n[endpoint]\nkind = "local"\nfaults = [{fault}]\n')

    with pytest.raises(ProfileError) as caught:
        load_profile(str(path), environ={})

    assert message in caught.value.message
    assert "x.toml:4:" in caught.value.message


def test_faults_are_settings_like_others(tmp_path: Path) -> None:
    """They can be set by flag."""
    path = tmp_path / "x.toml"
    path.write_text('version = 1\n[endpoint]\nkind = "local"\n')
    sets = ['endpoint.faults=[{ kind = "drop", times = 0 }]', "endpoint.fault_seed=7"]
    endpoint = load_profile(str(path), environ={}, sets=sets).profile.endpoint

    assert isinstance(endpoint, LocalEndpoint)
    assert endpoint.faults == [DropFault(kind="drop", times=0)]
    assert endpoint.fault_seed == 7
