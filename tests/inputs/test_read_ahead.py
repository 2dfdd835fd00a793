"""Pieces are read in a thread, a little ahead of need."""

import itertools
import threading
from collections.abc import Callable

import anyio
import pytest

from runner.errors import InputError
from runner.inputs.read_ahead import read_ahead
from tests.helpers.endpoint_scripts import reached
from tests.helpers.hearing_peers import PATIENCE_S

pytestmark = pytest.mark.anyio


def counting(end: Callable[[], tuple[bytes, bool]], *, after: int) -> Callable[[], tuple[bytes, bool]]:
    """A function that gives numbered pieces, and then ends."""
    numbers = itertools.count(1)

    def read() -> tuple[bytes, bool]:
        number = next(numbers)
        return (b"%d" % number, False) if number <= after else end()

    return read


async def test_every_piece_comes_in_order_to_the_end() -> None:
    """The end of the function is the end of the pieces."""
    async with read_ahead(counting(lambda: (b"6", True), after=5), pieces=2) as pieces:
        assert [each async for each in pieces] == [b"1", b"2", b"3", b"4", b"5", b"6"]


async def test_no_more_is_read_ahead_than_may_wait() -> None:
    """Two pieces wait, and the one that was read after them; a thread reads them, not the event loop."""
    threads: list[threading.Thread] = []

    def read() -> tuple[bytes, bool]:
        threads.append(threading.current_thread())
        return b"piece", False

    with anyio.fail_after(PATIENCE_S):
        async with read_ahead(read, pieces=2) as pieces:
            await reached(lambda: len(threads) == 3)
            await anyio.sleep(0.02)
            assert len(threads) == 3
            await anext(pieces)
            await reached(lambda: len(threads) == 4)

    assert threading.main_thread() not in threads


async def test_an_error_comes_after_the_pieces_before_it() -> None:
    """It is not wrapped, whatever runs the thread."""

    def fail() -> tuple[bytes, bool]:
        msg = "damaged"
        raise InputError(msg)

    got: list[bytes] = []
    with pytest.raises(InputError, match="damaged"):
        async with read_ahead(counting(fail, after=3), pieces=5) as pieces:
            got += [each async for each in pieces]

    assert got == [b"1", b"2", b"3"]


async def test_an_error_of_the_body_is_not_wrapped() -> None:
    """Reading ends with it, also where a piece waits for its place."""
    msg, reads = "of the body", 0

    def read() -> tuple[bytes, bool]:
        nonlocal reads
        reads += 1
        return b"piece", False

    async def body() -> None:
        async with read_ahead(read, pieces=1):
            await reached(lambda: reads == 2)
            await anyio.sleep(0.02)
            raise InputError(msg)

    with anyio.fail_after(PATIENCE_S), pytest.raises(InputError, match=msg):
        await body()
