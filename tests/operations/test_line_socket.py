"""Lines are read and written whole, whoever answers them."""

import socket
from contextlib import aclosing

import anyio
import anyio.from_thread
import pytest

from runner.operations.line_socket import LineSocket
from tests.helpers.controlled_runs import in_thread

pytestmark = pytest.mark.anyio


async def test_lines_that_are_answered_at_once_are_whole_between_others() -> None:
    """An answer that there is no room for is finished before anything else is written; other lines are handed on."""
    answer, other = b"a" * 3_000_000 + b"\n", b"b" * 1_000_000 + b"\n"
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    ours.setblocking(False)
    lines = LineSocket(ours, lambda line: answer if line == b"at once" else None)
    handed_on: list[bytes] = []

    async def serve() -> None:
        async with aclosing(lines.lines()) as read:
            async for line in read:
                handed_on.append(line)
                await lines.write(answer if line == b"at once" else other)
        lines.close()

    def ask() -> list[bytes]:
        with theirs, theirs.makefile("rb") as answers:
            theirs.sendall(b"at once\n")
            first = answers.read(1)
            anyio.from_thread.run_sync(tasks.start_soon, lines.write, b"c\n")
            theirs.sendall(b"la")
            theirs.sendall(b"ter\n")
            found = [first + answers.readline(), *sorted([answers.readline(), answers.readline()])]
            theirs.sendall(b"at once\n")
            return [*found, answers.readline()]

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve)
            found = await in_thread(ask)

    assert [line for line in handed_on if line != b"at once"] == [b"later"]
    assert found == [answer, other, b"c\n", answer]
