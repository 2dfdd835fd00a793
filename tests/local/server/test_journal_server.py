"""The playback of a journal does to a client what the server did."""

import base64
import io
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from runner import logs
from runner.journal.record import Record, line
from runner.local.server import journal_server
from runner.local.server.journal_server import PlaybackApp
from tests.helpers.command_process import Command, profile
from tests.helpers.local_client import PATIENCE_S, dial, in_thread, listening, told
from tests.helpers.log_capture import log_restored

pytestmark = pytest.mark.anyio

START_S = 1_700_000_000.0
SESSION = {"type": "realtime", "id": "sess_1", "object": "realtime.session", "model": "m"}


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged."""
    stream = io.StringIO()
    with log_restored():
        logs.configure(format="json", stream=stream)
        yield stream


def came(at_s: float, kind: str, *, epoch: int = 1, **fields: Any) -> Record:
    """A server event."""
    return Record(START_S + at_s, "in", epoch, {"type": kind, **fields})


def went(at_s: float, kind: str, *, epoch: int = 1, **fields: Any) -> Record:
    """A client event."""
    return Record(START_S + at_s, "out", epoch, {"type": kind, **fields})


def closed(at_s: float, *, epoch: int = 1, **fields: Any) -> Record:
    """The end of a connection."""
    return Record(START_S + at_s, "note", epoch, {"type": "connection.closed", **fields})


def heard(socket: ClientConnection) -> Any:
    """The next event."""
    return json.loads(socket.recv(timeout=PATIENCE_S))


async def test_the_server_waits_for_the_client_as_it_did() -> None:
    """Events come in order, and none before the client's event that it followed."""
    records = [
        came(0, "session.created", session=SESSION),
        went(1, "session.update"),
        came(2, "session.updated", session=SESSION),
    ]
    async with listening(PlaybackApp(records, speed=0)) as port:

        def script() -> list[Any]:
            with dial(port) as socket:
                first = heard(socket)
                with pytest.raises(TimeoutError):
                    socket.recv(timeout=0.2)
                told(socket, "response.create")
                told(socket, "session.update")
                return [first["type"], heard(socket)["type"]]

        assert await in_thread(script) == ["session.created", "session.updated"]


async def test_each_client_gets_its_connection_and_later_ones_the_last() -> None:
    """A journal of two sessions has the connections of both."""
    started = {"type": "session.started"}
    records = [
        came(0, "a", epoch=1),
        came(1, "b", epoch=2),
        Record(START_S + 9, "note", 0, started),
        came(10, "c", epoch=1),
    ]
    async with listening(PlaybackApp(records, speed=0)) as port:

        def script() -> list[str]:
            kinds = []
            for _ in range(4):
                with dial(port) as socket:
                    kinds.append(heard(socket)["type"])
            return kinds

        assert await in_thread(script) == ["a", "b", "c", "c"]


@pytest.mark.parametrize(("speed", "least_s", "most_s"), [(1, 0.4, 30), (4, 0.1, 0.4), (0, 0, 0.4)])
async def test_pauses_are_as_long_as_recorded(speed: float, least_s: float, most_s: float) -> None:
    """Or shorter by a factor, or none."""
    async with listening(PlaybackApp([came(0, "a"), came(0.4, "b")], speed=speed)) as port:

        def script() -> float:
            with dial(port) as socket:
                heard(socket)
                began_s = time.monotonic()
                heard(socket)
                return time.monotonic() - began_s

        taken_s = await in_thread(script)

    assert least_s - 0.05 <= taken_s < most_s


async def test_hashed_audio_is_replaced_by_silence(logged: io.StringIO) -> None:
    """It is as long as the audio was, in the session's format; kept audio is played as it was."""
    form = {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}
    records = [
        came(0, "session.created", session={**SESSION, **form}),
        came(0, "response.output_audio.delta", delta={"bytes": 800, "sha256": "0123456789abcdef"}),
        came(0, "response.output_audio.delta", delta={"bytes": 80, "sha256": "0123456789abcdef"}),
        came(0, "response.output_audio.delta", delta="AAAA"),
    ]
    async with listening(PlaybackApp(records, speed=0)) as port:

        def script() -> list[bytes]:
            with dial(port) as socket:
                heard(socket)
                return [base64.b64decode(heard(socket)["delta"]) for _ in range(3)]

        assert await in_thread(script) == [b"\xff" * 800, b"\xff" * 80, b"\0\0\0"]
    assert logged.getvalue().count("audio_replaced") == 1


async def test_a_session_expires_as_late_as_it_did() -> None:
    """A recorded time in the past would end the session at once."""
    record = came(0, "session.created", session={**SESSION, "expires_at": int(START_S) + 1800})
    async with listening(PlaybackApp([record], speed=0)) as port:

        def script() -> Any:
            with dial(port) as socket:
                return heard(socket)["session"]

        session = await in_thread(script)

    assert abs(session["expires_at"] - time.time() - 1800) < 30
    assert session["id"] == "sess_1"


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ({"code": 1001, "reason": "too long"}, (1001, "too long")),
        ({"code": 4000}, (4000, "")),
        ({"code": 1006}, None),
        ({"code": None}, None),
        ({"code": 1005}, None),
        ({"code": 99999}, None),
    ],
)
async def test_a_connection_ends_as_it_did(note: dict[str, Any], expected: Any) -> None:
    """With the recorded code and reason, or cut without a close."""
    async with listening(PlaybackApp([came(0, "a"), closed(1, **note)], speed=0)) as port:

        def script() -> Any:
            with dial(port) as socket:
                heard(socket)
                with pytest.raises(ConnectionClosed) as caught:
                    heard(socket)
                return caught.value.rcvd

        close = await in_thread(script)

    assert (close and (close.code, close.reason)) == expected


@pytest.mark.parametrize("end", [[], [closed(1, code=1000, by="client")]])
async def test_a_connection_that_the_client_closed_stays_open(end: list[Record]) -> None:
    """So does one whose end was not recorded."""
    async with listening(PlaybackApp([came(0, "a"), *end], speed=0)) as port:

        def script() -> Any:
            with dial(port) as socket:
                heard(socket)
                with pytest.raises(TimeoutError):
                    socket.recv(timeout=0.3)
                socket.close()
                return socket.protocol.close_rcvd

        assert (await in_thread(script)).code == 1000


async def test_a_client_that_says_less_is_not_waited_for_ever(
    monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    """After the longest wait the log names the event, whose like is not waited for again."""
    monkeypatch.setattr(journal_server, "_CLIENT_TIMEOUT_S", 0.2)
    records = [*(went(number, "response.create") for number in range(100)), came(100, "a")]
    async with listening(PlaybackApp(records, speed=0)) as port:

        def script() -> Any:
            with dial(port) as socket:
                return heard(socket)["type"]

        assert await in_thread(script) == "a"
    assert logged.getvalue().count("client_event_missing") == 1


@pytest.mark.parametrize("kind", ["input_audio_buffer.append", "session.input_audio.append"])
async def test_a_stream_of_audio_is_not_counted(kind: str) -> None:
    """A client may send its audio in larger pieces; once it has begun, the clock alone counts."""
    records = [*(went(number, kind) for number in range(50)), came(50, "a")]
    async with listening(PlaybackApp(records, speed=0)) as port:

        def script() -> Any:
            with dial(port) as socket:
                socket.send("[not JSON")
                socket.send("[]")
                told(socket, kind, audio="AAAA")
                return heard(socket)["type"]

        assert await in_thread(script) == "a"


async def test_plain_http_is_refused() -> None:
    """It needs an upgrade."""
    async with listening(PlaybackApp([came(0, "a")])) as port, httpx.AsyncClient(trust_env=False) as client:
        response = await client.get(f"http://127.0.0.1:{port}/v1/realtime")

    assert response.status_code == 426


def test_the_runner_lives_through_a_journal(tmp_path: Path) -> None:
    """`serve-local --journal` answers as was recorded, whatever is asked."""
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "recorded"}]}
    answer = [{"type": "output_text", "text": "as before"}]
    item = {"id": "i1", "type": "message", "role": "assistant", "status": "completed", "content": answer}
    done = {"id": "r1", "status": "completed", "conversation_id": "c", "output": [item]}
    ids: dict[str, Any] = {"response_id": "r1", "item_id": "i1", "output_index": 0, "content_index": 0}
    records = [
        came(0, "session.created", session=SESSION),
        went(0, "session.update", session={}),
        came(0, "session.updated", session=SESSION),
        went(1, "conversation.item.create", item=message),
        went(1, "response.create"),
        came(2, "response.created", response={"id": "r1", "conversation_id": "c"}),
        came(2, "response.output_text.delta", delta="as before", **ids),
        came(3, "response.done", response=done),
        closed(4, code=1000, by="client"),
    ]
    path = tmp_path / "j"
    path.write_text("".join(line(each, audio="hash") + "\n" for each in records) + '{"at_s')
    listen = ("--listen", "127.0.0.1:0")
    server = Command("serve-local", *listen, "--journal", str(path), "--speed", "0", folder=tmp_path)
    assert server.process.stdout
    url = server.process.stdout.readline().decode().strip()
    text = f'[endpoint]\nkind = "custom"\nbase_url = "{url}"\n[model]\nname = "x"\n'
    name = profile(tmp_path, text + '[session]\noutput_modalities = ["text"]\n')
    client = Command("--profile", name, folder=tmp_path).end("Anything\n")
    server.send_signal(signal.SIGTERM)
    ended = server.end()

    assert (client.code, client.stdout) == (0, "as before\n")
    assert ended.code == 0
    assert ended.logged("line_left_out")["problem"] == f"{path}:{len(records) + 1}: not JSON"
    assert ended.logged("playback_started")["connection"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--journal", "missing"), 74, "the journal missing cannot be read"),
        (("--journal", "empty"), 74, "the journal empty holds no connection"),
        (("--journal", "empty", "--speed", "-1"), 2, "--speed -1.0: not a number of 0 or more"),
        (("--journal", "empty", "--speed", "nan"), 2, "--speed nan"),
        (("--journal", "empty", "--profile", "local"), 2, "exclude each other"),
    ],
)
def test_what_cannot_be_played_is_reported(tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    """Before anything listens."""
    (tmp_path / "empty").write_text("")

    ended = Command("serve-local", "--listen", "127.0.0.1:0", *arguments, folder=tmp_path).end()

    assert (ended.code, ended.stdout) == (code, "")
    assert message in ended.stderr
