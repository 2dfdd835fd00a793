"""A program that is run for its output; `tests/tools/test_command_tool.py` runs more of them."""

import ctypes
import os

import anyio
import pytest

from runner.child_process import run_program
from tests.helpers.tool_calls import is_running

pytestmark = pytest.mark.anyio

LIMIT_S = 20
PR_SET_CHILD_SUBREAPER = 36
"""From linux/prctl.h."""


@pytest.fixture
def anyio_backend() -> str:
    """One event loop is enough where programs do the work."""
    return "asyncio"


def shell(script: str) -> list[str]:
    """A program that a shell makes."""
    return ["/bin/sh", "-c", script]


async def test_all_ends_are_reported_apart() -> None:
    """Exit code, both outputs, and whether there was more."""
    ended = await run_program(shell("cat; echo wrong >&2; exit 3"), given=b"given", longest_bytes=100)

    assert (ended.exit_code, ended.output, ended.errors, ended.is_cut) == (3, b"given", b"wrong\n", False)


async def test_it_reads_and_writes_at_the_same_time() -> None:
    """More than any pipe holds goes in and out."""
    given = b"0123456789" * 100_000

    ended = await run_program(["cat"], given=given, longest_bytes=len(given))

    assert (ended.output == given, ended.is_cut) == (True, False)


@pytest.mark.parametrize(("where", "is_cut"), [("", True), (" >&2", False)])
async def test_whoever_writes_without_end_is_ended(where: str, is_cut: bool) -> None:
    """Of standard error the last is kept; what is too much of it is no result."""
    ended = await run_program(shell(f"exec yes{where}"), longest_bytes=100_000)

    assert (ended.exit_code, ended.is_cut, len(ended.output)) == (-9, is_cut, 100_000 * is_cut)
    assert len(ended.errors) == (0 if is_cut else 8192)


@pytest.mark.parametrize("ends_group", [True, False])
async def test_what_is_left_behind_ends_where_that_is_asked_for(ends_group: bool) -> None:
    """An agent that a program has started may go on; a part of its work may not."""
    ended = await run_program(shell("sleep 300 & echo $!"), longest_bytes=100, ends_group=ends_group)

    left = int(ended.output)
    if ends_group:
        with anyio.fail_after(LIMIT_S):
            while is_running(left):  # noqa: ASYNC110  # a process of others has no event
                await anyio.sleep(0.005)
    else:
        assert is_running(left)
        await run_program(["kill", "-9", str(left)], longest_bytes=100)


async def test_nothing_is_left_in_the_process_table_of_a_container() -> None:
    """What loses its parent there becomes a child of rt-run, and would wait for ever to be asked how it ended."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        ended = await run_program(shell("sleep 300 & sleep 300 & echo $!"), longest_bytes=100)
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0)

    with pytest.raises(ProcessLookupError):
        os.kill(int(ended.output), 0)
