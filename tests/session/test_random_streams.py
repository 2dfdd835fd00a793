"""Whatever an endpoint sends: the session survives it and works on, or ends with an error that has a name."""

import io
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from runner import logs
from runner.errors import IllegalEvent, RunnerError
from runner.outputs.sink import Lines
from runner.outputs.text import EventLines, TextLines
from runner.outputs.transcript import Transcript
from runner.protocol.event_table import KNOWN_TYPES
from runner.session.opening import open_session
from runner.session.session import Session
from runner.session.update import Update
from tests.helpers.log_capture import log_restored
from tests.helpers.peer import Peer, profile_for, serving

pytestmark = pytest.mark.no_cover  # its lines are those of other tests, and tracing doubles its time

STREAMS = [*(("asyncio", range(first, first + 125)) for first in range(0, 500, 125)), ("trio", range(500, 560))]
AT_ONCE = 8
LIMIT_S = 150.0
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
TYPES = sorted(KNOWN_TYPES | {"session.created", "session.updated"})
RESPONSES = [f"resp_{number}" for number in range(3)]
ITEMS = [f"item_{number}" for number in range(3)]
READY, OVER = {"type": "test.ready"}, {"type": "test.over"}
SCALARS: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**63,
    10**400,
    0.5,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "text",
    "\x00\x1b[2J\u2028",
    "👋🏽",
    "x" * 5000,
    [],
    {},
    [[]],
    [None],
    [{}],
]
NAMES = [*RESPONSES, *ITEMS, *(each for each in SCALARS if isinstance(each, str))]
"""Every name that a response of a random stream may have."""
FIELDS = [
    "arguments", "audio", "code", "content", "content_index", "conversation_id", "delta", "error", "event_id",
    "expires_at", "id", "item", "item_id", "message", "output", "output_index", "param", "part", "previous_item_id",
    "rate_limits", "response", "response_id", "role", "session", "status", "status_details", "text", "transcript",
    "type", "usage",
]  # fmt: skip
BROKEN_TEXTS = [
    b"",
    b" ",
    b"{",
    b"[]",
    b"null",
    b"NaN",
    b'"text"',
    b"{'type': 1}",
    b'{"type":"error"',
    b'{"type":"\\ud800"}',
    b'{"type":"response.output_text.delta","response_id":"resp_0","item_id":"item_0","delta":"\\udc00\\ud800"}',
    b'{"type":"x","type":"response.done","response":{"id":"resp_0","status":"completed"}}',
    b'{"type":"novel","number":' + b"9" * 5000 + b"}",
    b'{"type":"novel","number":1e999,"other":-Infinity}',
    b"[" * 100_000,
    b'{"a":' * 300 + b"1" + b"}" * 300,
    b'{"type":"novel","deep":' + b"[" * 150 + b"]" * 150 + b"}",
]


def frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = False) -> bytes:
    """One frame as a server sends it, or, masked, as it must not."""
    first, length = opcode | (0x80 if fin else 0), len(payload)
    if length < 126:
        head = bytes((first, length))
    else:
        head = (
            bytes((first, 126)) + length.to_bytes(2) if length < 1 << 16 else bytes((first, 127)) + length.to_bytes(8)
        )
    return bytes((head[0], head[1] | 0x80)) + head[2:] + bytes(4) + payload if masked else head + payload


def fragments(chance: random.Random, payload: bytes) -> bytes:
    """A text message in pieces, cut anywhere, with control frames in between."""
    cuts = sorted(chance.randrange(len(payload) + 1) for _ in range(chance.randrange(1, 5)))
    pieces = [payload[start:end] for start, end in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    data = b""
    for number, piece in enumerate(pieces):
        data += frame(0 if number else TEXT, piece, fin=number == len(pieces) - 1)
        if number < len(pieces) - 1 and chance.random() < 0.3:
            data += frame(chance.choice([PING, PONG]), b"between")
    return data


def value(chance: random.Random, depth: int = 0) -> Any:
    """Any JSON value, and some that are none."""
    match chance.randrange(8 if depth < 4 else 5):
        case 0:
            return chance.choice(RESPONSES)
        case 1:
            return chance.choice(ITEMS)
        case 2 | 3 | 4:
            return chance.choice(SCALARS)
        case 5:
            return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
        case _:
            return {chance.choice(FIELDS): value(chance, depth + 1) for _ in range(chance.randrange(6))}


def item(chance: random.Random) -> dict[str, Any]:
    """An item as an endpoint describes it."""
    role = chance.choice(["user", "assistant", "system"])
    content = [{"type": chance.choice(["output_text", "audio", "input_text"]), "text": "said"}]
    kind = chance.choice(["message", "message", "function_call", "novelty"])
    return {"id": chance.choice(ITEMS), "type": kind, "role": role, "status": "completed", "content": content}


def valid(chance: random.Random) -> dict[str, Any]:
    """A well-formed event at a moment when nobody expects it."""
    response, place = chance.choice(RESPONSES), {"item_id": chance.choice(ITEMS), "content_index": chance.randrange(3)}
    status = chance.choice(["completed", "cancelled", "failed", "incomplete", "novelty"])
    return chance.choice(
        [
            {"type": "response.created", "response": {"id": response, "conversation_id": chance.choice(["c", None])}},
            {"type": "response.output_text.delta", "response_id": response, "delta": "pièce ", **place},
            {"type": "response.output_text.done", "response_id": response, "text": "whole", **place},
            {"type": "response.output_audio_transcript.delta", "response_id": response, "delta": "…", **place},
            {"type": "response.output_item.done", "response_id": response, "item": item(chance)},
            {"type": "response.done", "response": {"id": response, "status": status, "output": [item(chance)]}},
            {"type": "conversation.item.added", "previous_item_id": chance.choice(ITEMS), "item": item(chance)},
            {"type": "conversation.item.done", "item": item(chance)},
            {"type": "conversation.item.deleted", "item_id": place["item_id"]},
            {"type": "conversation.item.input_audio_transcription.completed", "transcript": "heard", **place},
            {"type": "input_audio_buffer.committed", "item_id": place["item_id"]},
            {"type": "rate_limits.updated", "rate_limits": [{"name": "tokens", "remaining": 1}]},
            {"type": "error", "error": {"type": "invalid_request_error", "code": "novelty", "message": "no"}},
            {"type": "session.updated", "session": {"type": "realtime", "id": "sess_test"}},
            {"type": "session.created", "session": {"type": "realtime", "id": "sess_other", "expires_at": 1}},
        ]
    )


def mangled(chance: random.Random) -> dict[str, Any]:
    """An event with some of its fields missing, or of another type."""
    event = valid(chance)
    for _ in range(chance.randrange(1, 4)):
        target = event
        inner = [each for each in target.values() if isinstance(each, dict) and each]
        if inner and chance.random() < 0.6:
            target = chance.choice(inner)
        key = chance.choice(list(target) or FIELDS)
        if chance.random() < 0.3:
            target.pop(key, None)
        else:
            target[key] = value(chance)
    return event


def made_up(chance: random.Random) -> dict[str, Any]:
    """An event of a known or unknown type with any fields."""
    kind = chance.choice([chance.choice(TYPES), f"novelty.{chance.randrange(5)}", chance.choice(SCALARS)])
    return {"type": kind, **{chance.choice(FIELDS): value(chance) for _ in range(chance.randrange(6))}}


def message(chance: random.Random, event: dict[str, Any]) -> bytes:
    """An event as one text message, in one frame or several."""
    payload = json.dumps(event, ensure_ascii=chance.random() < 0.3).encode()
    return fragments(chance, payload) if chance.random() < 0.3 else frame(TEXT, payload)


def junk(chance: random.Random) -> bytes:
    """A stream of frames; one in four streams holds something that no session survives."""
    makers: list[Callable[[random.Random], dict[str, Any]]] = [valid, valid, mangled, mangled, made_up]
    frames: list[bytes] = []
    for _ in range(chance.randrange(1, 60)):
        if chance.random() < 0.75:
            frames.append(message(chance, chance.choice(makers)(chance)))
        else:
            frames.append(
                chance.choice(
                    [
                        frame(TEXT, chance.choice(BROKEN_TEXTS)),
                        frame(BINARY, chance.randbytes(chance.randrange(300))),
                        frame(BINARY, b'{"type":"response.done"}'),
                        frame(PING, b"ping"),
                        frame(PONG, b""),
                    ]
                )
            )
        if chance.random() < 0.1:
            frames += frames[-1:] * chance.randrange(1, 4)
    if chance.random() < 0.25:
        frames.insert(chance.randrange(len(frames) + 1), deadly(chance))
    return b"".join(frames)


def deadly(chance: random.Random) -> bytes:
    """Something that ends a session."""
    code = chance.choice(["invalid_api_key", "session_expired", "model_not_found", "insufficient_quota"])
    fatal = {"type": "error", "error": {"type": "invalid_request_error", "code": code, "message": "no more"}}
    close = chance.choice([1000, 1001, 1006, 1008, 1011, 3000, 4000, 4999]).to_bytes(2)
    return chance.choice(
        [
            frame(TEXT, json.dumps(fatal).encode()),
            frame(CLOSE, close + "schluß".encode()),
            frame(CLOSE, b""),
            frame(CLOSE, b"\x03"),
            frame(CLOSE, close + b"\xff"),
            frame(TEXT, b'{"type":"\xff"}'),
            frame(TEXT, "ü".encode()[:1], fin=False) + frame(0, b"x"),
            frame(TEXT, b"{}", masked=True),
            frame(0, b"no beginning"),
            frame(0xB, b""),
            frame(TEXT | 0x40, b"{}"),
            frame(PING, b"x" * 126),
            frame(TEXT, b"{") * 100,
            chance.randbytes(200),
        ]
    )


async def send_in_pieces(chance: random.Random, peer: Peer, data: bytes) -> None:
    """Write bytes as a network delivers them: cut anywhere."""
    while data:
        size = len(data) if chance.random() < 0.5 else chance.randrange(1, 2000)
        await peer.stream.send(data[:size])
        data = data[size:]


async def end_all(peer: Peer) -> None:
    """End every response that may have begun; a question would rightly wait for it for ever."""
    await peer.send(*({"type": "response.done", "response": {"id": each, "status": "completed"}} for each in NAMES))


def hostile(seed: int) -> Callable[[Peer], Any]:
    """A server that sends junk before or after its greeting, ends every response, and then answers as it should."""

    async def script(peer: Peer) -> None:
        chance = random.Random(seed)  # noqa: S311  # reproducible, not secret
        if chance.random() < 0.2:
            await send_in_pieces(chance, peer, junk(chance))
            await end_all(peer)
        await peer.greet()
        await peer.send(READY)
        await peer.until("response.create")
        await send_in_pieces(chance, peer, junk(chance))
        await end_all(peer)
        await peer.answer("the first")
        await peer.send(OVER)
        if await peer.until("response.create"):
            await peer.answer("the second", response_id="resp_last", item_id="item_last")
        await peer.to_the_end()

    async def lenient(peer: Peer) -> None:
        try:
            await script(peer)
        except AssertionError:
            return  # the client has left, as it may

    return lenient


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the streams leave in the log."""
    written = io.StringIO()
    with log_restored():
        logs.configure(level="debug", format="json", stream=written)
        yield written


@asynccontextmanager
async def recorded(port: int) -> AsyncIterator[tuple[Session, list[Update]]]:
    """A session, and every update that its outputs would see."""
    updates: list[Update] = []
    async with open_session(profile_for(port), readers=[updates.append]) as session:
        yield session, updates


async def outcome(seed: int, seen: list[Update]) -> str:
    """Run one stream; says how it ended."""
    async with serving(hostile(seed)) as (port, _):
        try:
            async with recorded(port) as (session, updates):
                await came(session, updates, READY)
                await session.say("one")
                await came(session, updates, OVER)
                await session.wait_answered()
                await session.say("two")
                await session.wait_answered()
                assert [*_last_texts(updates)] == ["the second"]
                seen += updates
        except RunnerError as error:
            if type(error) in {RunnerError, IllegalEvent} or not error.message:
                pytest.fail(f"stream {seed}: {error!r}")
            return type(error).__name__
    return "survived"


async def came(session: Session, updates: list[Update], mark: dict[str, Any]) -> None:
    """Wait for this event; raises the session's failure if it ends before."""
    while not any(update.event == mark for update in updates):
        if session.is_over:
            await session.wait_answered()
            pytest.fail("the session ended and nobody said why")
        await session.changes.next()


def _last_texts(updates: list[Update]) -> Iterator[object]:
    for update in updates:
        event = update.event or {}
        if event.get("response_id") == "resp_last" and event["type"].endswith(".delta"):
            yield event.get("delta")


def shown(updates: list[Update]) -> str:
    """What the outputs make of the updates, encoded as they encode it."""
    makers: list[Lines] = [TextLines(terminal=True), TextLines(terminal=False), EventLines(), Transcript()]
    return "".join(each.render([update]) for each in makers for update in updates).encode(errors="strict").decode()


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.anyio
@pytest.mark.parametrize(("anyio_backend", "seeds"), STREAMS, indirect=["anyio_backend"])
async def test_random_streams_are_survived_or_refused(seeds: range, log: io.StringIO) -> None:
    """Hundreds of streams over real sockets: after each a normal turn works, or a named error says why not."""
    outcomes: dict[int, str] = {}
    waiting = list(seeds)

    async def work() -> None:
        while waiting:
            seed, updates = waiting.pop(), list[Update]()
            with anyio.move_on_after(LIMIT_S) as limit:
                outcomes[seed] = await outcome(seed, updates)
            assert not limit.cancelled_caught, f"stream {seed} hangs"
            assert shown(updates) or outcomes[seed] != "survived"

    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(work)

    assert all(isinstance(json.loads(line), dict) for line in log.getvalue().splitlines())
    ends = list(outcomes.values())
    assert ends.count("survived") > len(ends) / 2
    assert len(set(ends)) > 3
