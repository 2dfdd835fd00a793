"""A neutral peer on loopback: a process of its own without any WebSocket library, faster than what it measures.

    python -m benchmarks.server [CERTIFICATE]

It prints `http://127.0.0.1:PORT` and, given a PEM file of a certificate with its key, `https://localhost:PORT`, one a
line, and ends with its standard input. `serving` starts it from Python. A client connects to `/v1/realtime?...` at
either, as to the API (any path will do). What comes then:

- `session.created` at once, but not at an address of the Live API, and `session.updated` for every `session.update`;
- for `response.create` a whole answer, described by the URL's query and by `response.metadata`, which wins:
  `kind` (`text` or `audio`; default `text`), `events` (deltas, default 1) and `interval_ms` (between two of them;
  default 0: all at once, in big writes). An audio delta is 100 ms of sound: 4,800 bytes, 6,400 in base64;
- for `input_audio_buffer.append` nothing: it is counted. `input_audio_buffer.commit` is answered by
  `input_audio_buffer.committed`, whose `item_id` is `item_COUNT` with the number of events appended since the last, and
  where the session is a transcription, by the words of it;
- for `session.start` of a Live session `session.started`, and then an audio delta every 100 ms; for `session.close`
  `session.closed`; `session.input_audio.append` is counted;
- `input_audio_buffer.cleared` for `input_audio_buffer.clear`: the round trip of a small event;
- a pong for a ping; for a close frame the same close frame, after which it hangs up. Nothing else, of its own accord.

So a session that asks for nothing is idle, and `?kind=audio&events=600&interval_ms=100` makes one that is answered like
a voice session for a minute. It holds as many connections as the system lets a process have files.
"""

import asyncio
import base64
import hashlib
import itertools
import json
import os
import resource
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from benchmarks.answers import AUDIO_BYTES, answer, event, frame, greeting, live, live_audio, transcription

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BATCH_BYTES = 256 * 1024
_LONG_BYTES = 4096
"""A client's message above this is an append: only the first of a connection is unmasked and read."""
_TIMER_S = 0.002
"""Timers of the event loop are too coarse below this: the server watches the clock."""
_AWAKE_S = 0.002
"""How long the server polls after it has heard from a client."""
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_LIVE_PATH, _LIVE_INTERVAL_S = "/live/sessions", 0.1
_STARTED, _CLOSED = live("session.started"), live("session.closed", reason="close_requested", usage={"seconds": 1})
_UPDATED, _CLEARED = greeting("session.updated"), event("input_audio_buffer.cleared")


class Peer(asyncio.Protocol):
    """One connection, from the handshake to the end."""

    _awake_until_s = 0.0

    def __init__(self) -> None:
        self._buffer = b""
        self._open = False
        self._query: dict[str, str] = {}
        self._appended = 0
        self._checked = False
        self._playing: Iterator[bytes] = iter(())
        self._interval_s = 0.0
        self._paused = False
        self._transcribes = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write to."""
        self._loop = asyncio.get_running_loop()
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def connection_lost(self, _error: Exception | None) -> None:
        """Say nothing more."""
        self._playing = iter(())

    def pause_writing(self) -> None:
        """Wait for a client that has fallen behind."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on where the client had fallen behind."""
        self._paused = False
        if not self._interval_s:
            self._pour()

    def data_received(self, data: bytes) -> None:
        """Take all frames that are complete."""
        self._stay_awake()
        data = self._buffer + data
        start = 0 if self._open else self._shake_hands(data)
        while self._open and len(data) - start >= 2:
            size = data[start + 1] & 127
            body = start + 6
            if size >= 126:
                body = start + (8 if size == 126 else 14)
                size = int.from_bytes(data[start + 2 : body - 4], "big")
            if len(data) < body + size:
                break
            self._take(data[start] & 15, data, body, size)
            start = body + size
        self._buffer = data[start:]

    def _shake_hands(self, data: bytes) -> int:
        """Answer the request once it is whole; returns its length in bytes."""
        head, end, _ = data.partition(b"\r\n\r\n")
        if not end:
            return 0
        request, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._query = dict(parse_qsl(urlsplit(request.split()[1]).query))
        proof = base64.b64encode(hashlib.sha1(headers["sec-websocket-key"].encode() + _GUID).digest())  # noqa: S324  # RFC 6455
        answer_head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._transport.write(answer_head + b"Sec-WebSocket-Accept: " + proof + end)
        if not urlsplit(request.split()[1]).path.endswith(_LIVE_PATH):
            # A Live session's client has the first word.
            self._transport.write(greeting("session.created"))
        self._open = True
        return len(head) + len(end)

    def _take(self, opcode: int, data: bytes, body: int, size: int) -> None:
        if opcode == _TEXT and size > _LONG_BYTES and self._checked:
            self._appended += 1
            return
        payload = _unmasked(data[body : body + size], data[body - 4 : body])
        if opcode == _TEXT:
            self._answer(json.loads(payload))
        elif opcode == _PING:
            self._transport.write(frame(payload, _PONG))
        elif opcode == _CLOSE:
            self._transport.write(frame(payload, _CLOSE))
            self._transport.close()
        elif opcode != _PONG:
            self._transport.abort()

    def _answer(self, message: Mapping[str, object]) -> None:
        match message:
            case {"type": "input_audio_buffer.append" | "session.input_audio.append", "audio": str(audio)}:
                self._appended += 1
                if len(audio) > _LONG_BYTES:
                    assert len(base64.b64decode(audio, validate=True)) % AUDIO_BYTES == 0
                    self._checked = True
            case {"type": "input_audio_buffer.clear"}:
                self._transport.write(_CLEARED)
            case {"type": "input_audio_buffer.commit"}:
                item_id, self._appended = f"item_{self._appended}", 0
                self._transport.write(event("input_audio_buffer.committed", previous_item_id="item_0", item_id=item_id))
                if self._transcribes:
                    self._transport.write(transcription(item_id))
            case {"type": "session.update", "session": {"type": "transcription"} as asked}:
                self._transcribes = True
                self._transport.write(event("session.updated", session=asked))
            case {"type": "session.update"}:
                self._transport.write(_UPDATED)
            case {"type": "session.start" | "session.close" as kind}:
                self._live(is_over=kind == "session.close")
            case {"type": "response.create"}:
                self._play(message.get("response"))

    def _live(self, *, is_over: bool) -> None:
        self._transport.write(_CLOSED if is_over else _STARTED)
        self._playing = iter(()) if is_over else itertools.cycle(live_audio())
        self._interval_s = _LIVE_INTERVAL_S
        self._tick()

    def _play(self, response: object) -> None:
        asked = dict(self._query)
        if isinstance(response, dict) and isinstance(response.get("metadata"), dict):
            asked.update(response["metadata"])
        self._playing = iter(answer(asked.get("kind", "text"), int(asked.get("events", 1))))
        self._interval_s = float(asked.get("interval_ms", 0)) / 1000
        if self._interval_s:
            self._tick()
        else:
            self._pour()

    def _stay_awake(self) -> None:
        """Poll for a moment: a client pays for waking its peer, which no network makes it do."""
        spinning = Peer._awake_until_s > time.perf_counter()
        Peer._awake_until_s = time.perf_counter() + _AWAKE_S
        if not spinning:
            self._poll()

    def _poll(self) -> None:
        if Peer._awake_until_s > time.perf_counter():
            self._loop.call_soon(self._poll)

    def _tick(self) -> None:
        message = next(self._playing, None)
        if message is None:
            return
        self._transport.write(message)
        if self._interval_s >= _TIMER_S:
            self._loop.call_later(self._interval_s, self._tick)
        else:
            self._spin(time.perf_counter() + self._interval_s)

    def _spin(self, until_s: float) -> None:
        if time.perf_counter() >= until_s:
            self._tick()
        else:
            self._loop.call_soon(self._spin, until_s)

    def _pour(self) -> None:
        batch: list[bytes] = []
        size_bytes = 0
        while not self._paused and (message := next(self._playing, None)) is not None:
            batch.append(message)
            size_bytes += len(message)
            if size_bytes >= _BATCH_BYTES:
                self._transport.write(b"".join(batch))
                batch, size_bytes = [], 0
        if batch:
            self._transport.write(b"".join(batch))


@contextmanager
def serving(core: int | None, certificate: Path | None = None) -> Iterator[list[str]]:
    """Run the server meanwhile, on a core of its own where there is one; gives the addresses that it prints."""
    with server_process(core, certificate) as (_, addresses):
        yield addresses


@contextmanager
def server_process(core: int | None, certificate: Path | None = None) -> Iterator[tuple[int, list[str]]]:
    """The same, with the id of the server's process."""
    command = [sys.executable, "-m", "benchmarks.server", *([str(certificate)] if certificate else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin
        assert server.stdout
        try:
            if core is not None:
                os.sched_setaffinity(server.pid, {core})
            yield server.pid, [server.stdout.readline().decode().strip() for _ in range(2 if certificate else 1)]
        finally:
            server.stdin.close()
            server.wait()


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


async def _serve(certificate: str | None) -> None:
    loop = asyncio.get_running_loop()
    addresses: dict[str, ssl.SSLContext | None] = {"http://127.0.0.1": None}
    if certificate:
        addresses["https://localhost"] = context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    for address, trust in addresses.items():
        server = await loop.create_server(Peer, "127.0.0.1", 0, backlog=4096, ssl=trust)
        print(f"{address}:{server.sockets[0].getsockname()[1]}", flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    await ended.wait()


def main() -> None:
    """Serve until the standard input ends."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    certificate = sys.argv[1] if len(sys.argv) > 1 else None
    try:
        from uvloop import run
    except ImportError:
        asyncio.run(_serve(certificate))
    else:
        run(_serve(certificate))


if __name__ == "__main__":
    main()
