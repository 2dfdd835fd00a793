"""Lines of standard input become user messages or client events."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from runner.errors import InputError
from runner.inputs.line_input import LineInput
from runner.settings.input import StdinInput
from tests.helpers.endpoint_scripts import attentive, conversation
from tests.helpers.hearing_peers import TURN_DETECTION, at_once, others, session_with
from tests.helpers.peer import Peer
from tests.helpers.standard_input import standard_input

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def written(text: bytes, *, is_whole: bool = True, **settings: Any) -> AsyncIterator[tuple[LineInput, int]]:
    """An input whose pipe holds this text, and the end to write to, which is closed where the text is whole."""
    async with standard_input() as (broadcast, sending):
        os.write(sending, text)
        if is_whole:
            os.close(sending)
        yield LineInput(StdinInput(kind="stdin", **settings), broadcast.listen()), sending


async def test_each_line_is_a_user_message_that_is_answered() -> None:
    """Empty lines are none; the end of the lines is the end of the input once the last answer is complete."""
    async with session_with(attentive) as (session, _), written(b"one\n\n two \r\n") as (source, _):
        assert await source.feed(session, at_once, None) == "input-end"

    said = [("user", "one"), ("assistant", "answer 1"), ("user", "two"), ("assistant", "answer 2")]
    assert conversation(session) == said
    assert not source.can_interrupt


async def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    """Files of Windows begin with one; elsewhere it is a letter like any other, and so is NUL."""
    text = b"\xef\xbb\xbfone\r\n\xef\xbb\xbftwo\na\0b and c\n"
    async with session_with(attentive) as (session, _), written(text) as (source, _):
        await source.feed(session, at_once, None)

    assert [said for who, said in conversation(session) if who == "user"] == ["one", "\ufefftwo", "a\0b and c"]


async def test_an_event_may_follow_a_byte_order_mark() -> None:
    """It is no fault of the JSON."""
    event = b'\xef\xbb\xbf{"type": "response.create"}\r\n'
    async with session_with(attentive) as (session, peers), written(event, format="events") as (source, _):
        await source.feed(session, at_once, None)

    assert others(peers[0]) == ["response.create"]


async def test_each_line_is_a_client_event() -> None:
    """A response is asked for once the one before has ended, so that the endpoint does not refuse it."""
    event = b'{"type": "response.create"}\n'
    async with session_with(attentive) as (session, peers), written(event * 2, format="events") as (source, _):
        await source.feed(session, at_once, None)

    assert others(peers[0]) == ["response.create"] * 2
    assert conversation(session) == [("assistant", "answer 1"), ("assistant", "answer 2")]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize(
    ("form", "line", "problem"),
    [
        ("events", b"{oops", "stdin:1: not JSON"),
        ("events", b'{"type": "x", "number": NaN}', "stdin:1: not JSON"),
        ("events", b'{"type": "x", "number": 1e999}', "stdin:1: not JSON"),
        ("events", b'{"type": "\\ud800", "number": -Infinity}', "stdin:1: not JSON"),
        ("events", b"\n[]", "stdin:2: not a client event"),
        ("events", b'{"type": 1}', "stdin:1: not a client event"),
        ("text", b"fine\n\xff\n", "stdin:2: not UTF-8 at byte 1"),
        ("text", "Hello\n".encode("utf-16"), "stdin:1: UTF-16, and UTF-8 is expected"),
        ("text", "Hello\n".encode("utf-16-le"), "stdin:1: UTF-16, and UTF-8 is expected"),
        ("text", "Hello there, Zoë\n".encode("utf-16-be"), "stdin:1: UTF-16, and UTF-8 is expected"),
        ("events", '{"type": "x"}\n'.encode("utf-16-le"), "stdin:1: UTF-16, and UTF-8 is expected"),
    ],
)
async def test_a_line_that_cannot_be_sent_is_an_error(form: str, line: bytes, problem: str) -> None:
    """The message names the line."""
    async with session_with(attentive) as (session, _), written(line, format=form) as (source, _):
        with pytest.raises(InputError, match=problem):
            await source.feed(session, at_once, None)


async def test_speech_that_lasts_at_the_end_of_the_lines_is_committed() -> None:
    """Turn detection waits for a silence that will never come; the last words are asked for instead."""

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.until("input_audio_buffer.append")
        await peer.send({"type": "input_audio_buffer.speech_started", "item_id": "i", "audio_start_ms": 0})
        await peer.until("input_audio_buffer.commit")
        await peer.send({"type": "input_audio_buffer.committed", "item_id": "i"})
        await peer.answer("last words")
        await peer.to_the_end()

    append = b'{"type": "input_audio_buffer.append", "audio": "AAAA"}\n'
    async with (
        session_with(script, audio=TURN_DETECTION) as (session, _),
        written(append, is_whole=False, format="events") as (source, sending),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(source.feed, session, at_once, None)
        while session.state.pending.turn != "speaking":
            await session.changes.next()
        os.close(sending)

    assert ("assistant", "last words") in conversation(session)


async def test_a_stopped_input_keeps_its_lines_until_it_is_started() -> None:
    """What was asked before is answered; what comes then waits, and is not lost."""
    async with session_with(attentive) as (session, peers), written(b"one\ntwo\n") as (source, _):
        source.switch.stop()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(source.feed, session, at_once, None)
            await anyio.wait_all_tasks_blocked()
            before = (source.switch.state, others(peers[0]))
            source.switch.start()

    assert before == ("stopped", [])
    assert [said for who, said in conversation(session) if who == "user"] == ["one", "two"]
