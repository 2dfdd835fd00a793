"""Lines of a file descriptor."""

import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import InputError
from runner.inputs.stdin import Line, lines, samples

pytestmark = pytest.mark.anyio

ONE_LOOP = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""For what no event loop can change."""


async def read(descriptor: int, *, max_line_bytes: int = 1000) -> list[tuple[int, bytes]]:
    """All lines of a descriptor."""
    return [each async for each in lines(descriptor, max_line_bytes=max_line_bytes)]


async def piped(read: Callable[[int], AsyncIterator[Line]], cuts: list[bytes]) -> list[bytes]:
    """What is read from a pipe that is written in these pieces."""
    receiving, sending = os.pipe()
    got: list[bytes] = []

    async def write() -> None:
        for cut in cuts:
            os.write(sending, cut)
            await anyio.lowlevel.checkpoint()
        os.close(sending)

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            got += [piece async for _, piece in read(receiving)]
    finally:
        os.close(receiving)
    return got


@ONE_LOOP
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=30), max_size=10))
async def test_however_a_pipe_is_cut_the_lines_are_the_same(cuts: list[bytes]) -> None:
    """Where the writes were cut does not show; only a last line without break may be missing its break."""
    expected = b"".join(cuts).split(b"\n")
    if not expected[-1]:
        expected.pop()

    assert await piped(partial(lines, max_line_bytes=1000), cuts) == expected


@ONE_LOOP
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(min_size=1, max_size=9), max_size=10))
async def test_however_a_pipe_is_cut_a_sample_stays_in_one_piece(cuts: list[bytes]) -> None:
    """Every piece holds whole samples, and together they are what was written but for half a sample at the end."""
    got, whole = await piped(samples, cuts), b"".join(cuts)

    assert all(piece and len(piece) % 2 == 0 for piece in got)
    assert b"".join(got) == whole[: len(whole) // 2 * 2]


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    """A redirected file cannot be waited for, and need not be."""
    path = tmp_path / "lines"
    path.write_bytes(b"one\r\ntwo")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        assert await read(descriptor) == [(1, b"one\r"), (2, b"two")]
    finally:
        os.close(descriptor)


async def test_dev_null_ends_at_once() -> None:
    """What a service manager gives as standard input is an end, not an error."""
    descriptor = os.open("/dev/null", os.O_RDONLY)
    try:
        assert await read(descriptor) == []
    finally:
        os.close(descriptor)


async def test_a_line_without_end_is_bounded() -> None:
    """The error names the line and the setting to change."""
    receiving, sending = os.pipe()
    try:
        os.write(sending, b"fine\n" + b"x" * 5000)
        with pytest.raises(InputError, match="stdin:2: longer than 1000 bytes"):
            await read(receiving)
    finally:
        os.close(receiving)
        os.close(sending)


async def test_waiting_for_input_can_be_cancelled() -> None:
    """A pipe that stays silent does not keep the session."""
    receiving, sending = os.pipe()
    try:
        with anyio.move_on_after(0.05) as scope:
            await read(receiving)
        assert scope.cancelled_caught
    finally:
        os.close(receiving)
        os.close(sending)
