"""Reading a file descriptor: its lines, or its samples."""

import os
import stat
from collections.abc import AsyncGenerator

import anyio
import anyio.to_thread

from runner.errors import InputError, reason_of

STDIN = 0
Line = tuple[int, bytes]
"""The number of a line, from 1, and the line without its break."""
CHUNK_BYTES = 64 * 1024
"""The most that is read at a time."""


async def lines(descriptor: int, *, max_line_bytes: int) -> AsyncGenerator[Line, None]:
    """The lines of a file descriptor with their numbers, from 1; the last may lack its line break.

    Waiting can be cancelled, which a thread that blocks in `read` could not.

    Raises:
        InputError: a line is longer than `max_line_bytes`, or reading fails.
    """
    number, rest = 0, bytearray()
    while chunk := await read_chunk(descriptor):
        head, found, tail = chunk.rpartition(b"\n")
        rest += head
        if found:
            for line in rest.split(b"\n"):
                number += 1
                check_length(number, line, max_line_bytes)
                yield number, bytes(line)
            rest = bytearray()
        rest += tail
        check_length(number + 1, rest, max_line_bytes)
    if rest:
        yield number + 1, bytes(rest)


async def samples(descriptor: int) -> AsyncGenerator[Line, None]:
    """The 16-bit samples of a file descriptor as they come, in numbered pieces of whole samples, from 1.

    Waiting can be cancelled; half a sample at the end is dropped.

    Raises:
        InputError: reading fails.
    """
    number, half = 0, b""
    while chunk := await read_chunk(descriptor):
        audio = half + chunk
        whole = len(audio) // 2 * 2
        half = audio[whole:]
        if whole:
            number += 1
            yield number, audio[:whole]


def check_length(number: int, line: bytes | bytearray, max_line_bytes: int) -> None:
    """Refuse a line that is too long, or has become so before its end; raises `InputError`."""
    if len(line) > max_line_bytes:
        msg = f"stdin:{number}: longer than {max_line_bytes} bytes"
        raise InputError(msg, hint="raise `input.max_line_bytes`")


async def read_chunk(descriptor: int) -> bytes:
    """What can be read from a file descriptor, nothing at the end; raises `InputError`."""
    try:
        if _can_wait(descriptor):
            await anyio.wait_readable(descriptor)
            return os.read(descriptor, CHUNK_BYTES)
        return await anyio.to_thread.run_sync(os.read, descriptor, CHUNK_BYTES, abandon_on_cancel=True)
    except OSError as error:
        msg = f"standard input cannot be read: {reason_of(error)}"
        raise InputError(msg) from None


def _can_wait(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    # Files are always ready and epoll refuses them, as it does most devices but terminals.
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
