"""A program that is run for its output, within bounds: neither it nor its process group outlives who runs it."""

import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.abc

from runner.unused_imports import inherited_environment

_PART_BYTES = 64 * 1024
_MOST_ERROR_BYTES = 16 * 1024 * 1024
"""A program that writes more to standard error is ended, in bytes."""
_KEPT_ERROR_BYTES = 8 * 1024
_REAPING_S = 5.0
"""How long a killed program may take to be gone, in seconds; one that hangs in the kernel is not waited for."""
_REAPING_STEP_S = 0.005


@dataclass(frozen=True, slots=True)
class ProgramEnd:
    """How a program has ended, and what it has written until then."""

    exit_code: int
    """Negative where a signal has ended it."""
    output: bytes
    errors: bytes
    """The last of what it wrote to standard error."""
    is_cut: bool
    """Whether its output was longer than was to be taken, and it was ended for it."""


async def run_program(
    argv: Sequence[str],
    *,
    longest_bytes: int,
    given: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    grace_s: float = 0.0,
    ends_group: bool = True,
) -> ProgramEnd:
    """Run a program until it ends, whoever has inherited its output and keeps it open.

    It leads a process group of its own, without a terminal. Where the caller is cancelled, the whole group is ended.

    Args:
        argv: The program and its arguments; no shell is involved.
        longest_bytes: A program that writes more than this to standard output is ended.
        given: What it reads on standard input.
        cwd: Its working directory, by default that of this process.
        env: Its environment, by default that of this process.
        grace_s: How long it may take to end after SIGTERM, in seconds, before it is killed.
        ends_group: Whether what it has started, and left behind in its group, is killed when it has ended.

    Raises:
        OSError: It cannot be started.
    """
    output, errors = _Written(longest_bytes), _Written(_MOST_ERROR_BYTES, kept_bytes=_KEPT_ERROR_BYTES)
    with contextlib.ExitStack() as ours:
        with contextlib.ExitStack() as theirs:
            feed = ours.enter_context(contextlib.ExitStack())
            stdin, feeding = _pipe(theirs, feed)
            reading_output, stdout = _pipe(ours, theirs)
            reading_errors, stderr = _pipe(ours, theirs)
            for descriptor in (feeding, reading_output, reading_errors):
                os.set_blocking(descriptor, False)
            # Given up in the middle of its start, only the program would be killed, and not what it has started itself.
            with anyio.CancelScope(shield=True):
                process = await anyio.open_process(
                    argv,
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    cwd=cwd,
                    env=inherited_environment() if env is None else env,
                    start_new_session=True,
                )
        try:
            async with anyio.create_task_group() as tasks:
                enough = tasks.cancel_scope.cancel
                tasks.start_soon(_feed, feeding, given, feed.close)
                tasks.start_soon(_collect, reading_output, output, enough)
                tasks.start_soon(_collect, reading_errors, errors, enough)
                await process.wait()
                enough()
        finally:
            await _end(process, grace_s, ends_group=ends_group)
        output.take_rest(reading_output)
        errors.take_rest(reading_errors)
    exit_code = -signal.SIGKILL if process.returncode is None else process.returncode
    return ProgramEnd(exit_code, bytes(output.content[:longest_bytes]), bytes(errors.content), output.is_too_much)


class _Written:
    """What a program has written to one descriptor: up to a bound, or only the last of it."""

    def __init__(self, longest_bytes: int, *, kept_bytes: int | None = None) -> None:
        self.content = bytearray()
        self._longest_bytes = longest_bytes
        self._kept_bytes = kept_bytes
        self._seen_bytes = 0

    @property
    def is_too_much(self) -> bool:
        return self._seen_bytes > self._longest_bytes

    def take(self, descriptor: int) -> bool:
        """Read a part; whether another may follow. Raises `BlockingIOError` where there is none yet."""
        part = os.read(descriptor, _PART_BYTES)
        self._seen_bytes += len(part)
        self.content += part
        if self._kept_bytes is not None:
            del self.content[: -self._kept_bytes]
        return bool(part) and not self.is_too_much

    def take_rest(self, descriptor: int) -> None:
        """Read what is there already."""
        with contextlib.suppress(BlockingIOError):
            while not self.is_too_much and self.take(descriptor):
                pass


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe whose ends are closed with those who have them."""
    reading, writing = os.pipe()
    reader.callback(os.close, reading)
    writer.callback(os.close, writing)
    return reading, writing


async def _feed(descriptor: int, given: bytes, close: Callable[[], None]) -> None:
    """Write all that a program is given, as far as it reads it; then it sees the end."""
    with contextlib.suppress(BrokenPipeError):
        while given:
            await anyio.wait_writable(descriptor)
            with contextlib.suppress(BlockingIOError):
                given = given[os.write(descriptor, given[:_PART_BYTES]) :]
    close()


async def _collect(descriptor: int, written: _Written, enough: Callable[[], None]) -> None:
    """Read what a program writes, until nothing holds the other end any more or it is too much."""
    goes_on = True
    while goes_on:
        await anyio.wait_readable(descriptor)
        with contextlib.suppress(BlockingIOError):
            goes_on = written.take(descriptor)
    if written.is_too_much:
        enough()


async def _end(process: anyio.abc.Process, grace_s: float, *, ends_group: bool) -> None:
    """End a program that still runs, with its group; where it has ended, what it has left there."""
    is_running = process.returncode is None
    with anyio.CancelScope(shield=True):
        if is_running and grace_s:
            _signal(process.pid, signal.SIGTERM)
            with anyio.move_on_after(grace_s):
                await process.wait()
        if is_running or ends_group:
            _signal(process.pid, signal.SIGKILL)
        with anyio.move_on_after(_REAPING_S):
            await process.wait()
            if is_running or ends_group:
                await _reap(process.pid)


async def _reap(group: int) -> None:
    """Wait for what was left in a group and is a child of this process now, where that is the first of a container."""
    with contextlib.suppress(ChildProcessError):
        while True:
            if os.waitpid(-group, os.WNOHANG) == (0, 0):  # noqa: ASYNC222  # WNOHANG: it does not wait
                await anyio.sleep(_REAPING_STEP_S)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
