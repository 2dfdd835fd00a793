"""Standard input for several sessions: every line for each, held once and within bounds."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from runner.errors import InputError
from runner.inputs.broadcast import Broadcast, InputListener
from runner.inputs.stdin import CHUNK_BYTES
from tests.helpers.hearing_peers import PATIENCE_S
from tests.helpers.standard_input import standard_input

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def broadcast(**settings: Any) -> AsyncIterator[tuple[Broadcast, int]]:
    """A broadcast of a pipe, with the end to write to, for a bounded time."""
    with anyio.fail_after(PATIENCE_S):
        async with standard_input(**settings) as (it, sending):
            yield it, sending


async def turns(number: int = 50) -> None:
    """Let the event loop look at descriptors and run every task so many times."""
    for _ in range(number):
        await anyio.lowlevel.checkpoint()


async def texts(listener: InputListener) -> list[bytes]:
    """All lines of a listener to the end."""
    return [line async for _, line in listener]


async def write(sending: int, data: bytes) -> None:
    """Write all and close."""
    await anyio.to_thread.run_sync(_write, sending, data)


def _write(sending: int, data: bytes) -> None:
    with os.fdopen(sending, "wb") as file:
        file.write(data)


async def test_every_listener_gets_every_line_and_the_end() -> None:
    """Also one that begins when the others are done; afterwards nothing is held."""
    async with broadcast() as (it, sending):
        listeners = [it.listen(max_line_bytes=100) for _ in range(3)]
        await write(sending, b"one\ntwo\nthree")

        assert [await texts(each) for each in listeners] == [[b"one", b"two", b"three"]] * 3
        assert it.held_bytes == 0


async def test_nothing_is_read_before_a_session_asks_for_a_line() -> None:
    """A terminal's keys belong to the chat until then."""
    async with broadcast() as (it, sending):
        it.listen(max_line_bytes=100)
        os.write(sending, b"one\n")
        await turns()
        os.close(sending)

        assert it.held_bytes == 0


async def test_the_fastest_sets_the_pace() -> None:
    """No more is held than the fastest has taken and a little ahead of it, and nothing is lost."""
    async with broadcast() as (it, sending):
        fast, slow = (it.listen(max_line_bytes=1000) for _ in range(2))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, sending, (b"x" * 999 + b"\n") * 1000)
            for taken in range(1, 201):
                await anext(fast)
                await turns(3)
                assert it.held_bytes < taken * 1300 + 3 * CHUNK_BYTES

            slow.close()
            assert len(await texts(fast)) == 800


async def test_a_session_that_falls_too_far_behind_fails_alone() -> None:
    """The bound frees the memory; the others get everything, and the slow one gets an error that says why."""
    async with broadcast(max_behind_bytes=100_000) as (it, sending):
        fast, slow = (it.listen(max_line_bytes=1000) for _ in range(2))
        await anext_after(slow, sending)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, sending, (b"x" * 999 + b"\n") * 1000)

            assert len(await texts(fast)) == 1001
        assert it.held_bytes <= 100_000
        with pytest.raises(InputError, match="more than 100000 bytes behind the others"):
            await anext(slow)


async def anext_after(listener: InputListener, sending: int) -> None:
    """Write one line and take it."""
    os.write(sending, b"first\n")
    assert await anext(listener) == (1, b"first")


async def test_a_closed_listener_holds_nothing_back() -> None:
    """A session that is over, or never opened, costs no memory and leaves the others their lines."""
    async with broadcast() as (it, sending):
        gone, never, here = (it.listen(max_line_bytes=100) for _ in range(3))
        await anext_after(gone, sending)
        gone.close()
        gone.close()
        never.close()
        await write(sending, b"second\n")

        assert await texts(gone) == []
        assert await texts(here) == [b"first", b"second"]
        assert it.held_bytes == 0


async def test_a_line_may_be_too_long_for_one_only() -> None:
    """Each session has its own bound; a line that is too long for all ends the reading with an error for each."""
    async with broadcast(max_line_bytes=1000) as (it, sending):
        strict, generous = it.listen(max_line_bytes=10), it.listen(max_line_bytes=1000)
        await write(sending, b"x" * 500 + b"\nlast\n" + b"x" * 2000)

        with pytest.raises(InputError, match="stdin:1: longer than 10 bytes"):
            await anext(strict)
        assert (await anext(generous))[0] == 1
        assert await anext(generous) == (2, b"last")
        for _ in range(2):
            with pytest.raises(InputError, match="stdin:3: longer than 1000 bytes"):
                await anext(generous)


async def test_every_listener_gets_the_same_samples() -> None:
    """Audio is shared as lines are, and its line breaks are samples like others."""
    pcm = bytes(range(256)) * 2000
    async with broadcast(is_audio=True) as (it, sending):
        listeners = [it.listen() for _ in range(3)]
        heard = [b""] * 3
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, sending, pcm)

            async def hear(number: int) -> None:
                async for _, piece in listeners[number]:
                    heard[number] += piece

            for number in range(3):
                tasks.start_soon(hear, number)

        assert heard == [pcm] * 3
        assert it.held_bytes == 0


async def test_samples_wait_in_the_pipe_until_they_are_asked_for() -> None:
    """The program that writes them is held back, so that what is sent is what was just said."""
    async with broadcast(is_audio=True) as (it, sending):
        listener = it.listen()
        os.write(sending, bytes(30_000))
        await anext(listener)
        os.write(sending, bytes(60_000))
        await turns()

        assert it.held_bytes == 0
        os.close(sending)
