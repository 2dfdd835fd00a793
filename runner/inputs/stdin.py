"""What standard input holds: lines of text or events, which are sent, or samples."""

import os
import stat
from collections.abc import AsyncGenerator, AsyncIterable

import anyio
import anyio.to_thread
from pydantic_core import from_json

from runner.errors import InputError
from runner.protocol.state import out_of_band
from runner.session.session import Session
from runner.settings.input import StdinInput

STDIN = 0
Line = tuple[int, bytes]
"""The number of a line, from 1, and the line without its break."""
CHUNK_BYTES = 64 * 1024
"""The most that is read at a time."""


async def feed(session: Session, settings: StdinInput, source: AsyncIterable[Line]) -> None:
    """Send everything that the lines of a source hold; returns at their end.

    Args:
        session: Where to send it.
        settings: What the lines are.
        source: The lines of standard input.

    Raises:
        InputError: a line cannot be read, is not UTF-8, or is no JSON object where events are expected.
        RunnerError: the session ended first.
    """
    async for number, line in source:
        if text := _text(number, line).strip():
            if settings.format == "text":
                await session.say(text)
            else:
                await _send_event(session, number, text)
    if settings.format == "events" and session.state.is_hearing_speech:
        # No silence follows that would tell turn detection that this was all.
        await session.send({"type": "input_audio_buffer.commit"})


async def _send_event(session: Session, number: int, line: str) -> None:
    try:
        event = from_json(line)
    except ValueError as error:
        msg = f"stdin:{number}: not JSON: {error}"
        raise InputError(msg) from None
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        msg = f"stdin:{number}: not a client event: a JSON object with a `type` is expected"
        raise InputError(msg, hint='such as {"type": "response.create"}')
    if event["type"] == "response.create" and not out_of_band(event):
        await session.wait_answered()
    await session.send(event)


def _text(number: int, line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        msg = f"stdin:{number}: not UTF-8 at byte {error.start + 1}"
        raise InputError(msg) from None


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
        msg = f"standard input cannot be read: {error.strerror}"
        raise InputError(msg) from None


def _can_wait(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    # Files are always ready and epoll refuses them, as it does most devices but terminals.
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
