"""Standard input for several sessions: every line for each, held once and within bounds."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from runner.errors import InputError
from runner.inputs.broadcast import Broadcast, InputListener

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def broadcast(**settings: Any) -> AsyncIterator[tuple[Broadcast, int]]:
    """A broadcast of a pipe, with the end to write to."""
    receiving, sending = os.pipe()
    try:
        async with anyio.create_task_group() as tasks:
            it = Broadcast(receiving, **{"max_line_bytes": 1 << 20, **settings})
            tasks.start_soon(it.run)
            with anyio.fail_after(10):
                yield it, sending
            tasks.cancel_scope.cancel()
    finally:
        os.close(receiving)


async def texts(listener: InputListener) -> list[bytes]:
    """All lines of a listener to the end."""
    return [line async for _, line in listener]


async def write(sending: int, data: bytes) -> None:
    """Write all and close."""
    await anyio.to_thread.run_sync(_write, sending, data)


def _write(sending: int, data: bytes) -> None:
    with os.fdopen(sending, "wb") as file:
        file.write(data)


async def test_everybody_gets_every_line_and_the_end() -> None:
    """Also whoever begins when the others are done; afterwards nothing is held."""
    async with broadcast() as (it, sending):
        listeners = [it.listen(max_line_bytes=100) for _ in range(3)]
        await write(sending, b"one\ntwo\nthree")

        assert [await texts(each) for each in listeners] == [[b"one", b"two", b"three"]] * 3
        assert it.held_bytes == 0


async def test_nothing_is_read_before_somebody_listens() -> None:
    """A terminal's keys belong to the chat until a session asks for lines."""
    async with broadcast() as (it, sending):
        it.listen(max_line_bytes=100)
        os.write(sending, b"one\n")
        await anyio.sleep(0.05)
        os.close(sending)

        assert it.held_bytes == 0


async def test_the_fastest_sets_the_pace() -> None:
    """Of a long input no more is held than the fastest has asked for and the slowest has left, and nothing is lost."""
    async with broadcast() as (it, sending):
        fast, slow = (it.listen(max_line_bytes=1000) for _ in range(2))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, sending, (b"x" * 999 + b"\n") * 1000)
            for _ in range(10):
                await anext(fast)
            await anyio.sleep(0.05)

            assert it.held_bytes < 200_000
            slow.close()
            assert len(await texts(fast)) == 990


async def test_who_falls_too_far_behind_is_left_behind_alone() -> None:
    """The bound frees the memory; the others get everything, and the slow one is told why it has to end."""
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


async def test_who_has_ended_holds_nothing_back() -> None:
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
    """Each session has its own bound; what is too long for all ends the reading, and all are told."""
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


async def test_everybody_hears_the_same_samples() -> None:
    """Audio is shared as lines are, and its line breaks are samples like others."""
    pcm = bytes(range(256)) * 2000
    async with broadcast(is_audio=True) as (it, sending):
        listeners = [it.listen(max_line_bytes=1 << 20) for _ in range(3)]
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
    """Whoever writes them is held back, so that what is sent is what was just said."""
    async with broadcast(is_audio=True) as (it, sending):
        listener = it.listen(max_line_bytes=1 << 20)
        os.write(sending, bytes(30_000))
        await anext(listener)
        os.write(sending, bytes(60_000))
        await anyio.sleep(0.05)

        assert it.held_bytes == 0
        os.close(sending)
