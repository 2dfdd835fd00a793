"""An output that writes in a thread, behind a queue bounded in bytes, and reports an error once."""

from collections.abc import Callable, Sequence
from functools import partial
from io import FileIO
from typing import Generic, Protocol, TypeVar

import anyio
import anyio.to_thread

from runner.append_file import finish
from runner.errors import OutputError, RunnerError, reason_of
from runner.outputs.session_output import Fail, Output
from runner.session.queue import ByteQueue
from runner.standard_streams import put_all

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class OutputClosed(OutputError):
    """The reader of what the session writes has closed its end."""


class Target(Protocol[T_contra]):
    """Puts items where they end up; its methods may wait and raise `OSError` or `RunnerError`."""

    def write(self, items: Sequence[T_contra]) -> None:
        """Write these items."""

    def finish(self) -> None:
        """Bring everything written to the disk, and close."""

    def close(self) -> None:
        """Close at once; what was not written is lost, and a second time does nothing."""


class FileTarget(Generic[T]):
    """Writes items to an open file as bytes.

    Args:
        file: The file, unbuffered.
        render: Makes bytes of items; called in the writer's thread.
        put: Writes bytes to the file; in turn with others, where it is shared.
    """

    def __init__(
        self,
        file: FileIO,
        render: Callable[[Sequence[T]], bytes],
        put: Callable[[FileIO, bytes], None] = put_all,
    ) -> None:
        self._file = file
        self._render = render
        self._put = put

    def write(self, items: Sequence[T]) -> None:
        """Write these items."""
        self._put(self._file, self._render(items))

    def finish(self) -> None:
        """Bring everything written to the disk, and close."""
        finish(self._file)

    def close(self) -> None:
        """Close at once; a second time does nothing."""
        self._file.close()


class Writer(Output, Generic[T]):
    """Takes items without waiting, and writes them in order.

    Args:
        name: What messages call it.
        target: Where items end up; closed by `run`.
        max_queue_bytes: How far it may fall behind.
        interval_s: How long an item may wait so that several are written at once, in seconds.
        fail: Called once with what went wrong.
        broken: Called instead of `fail` where writing has failed, when several writers share the target.
        threads: Limits the threads that write at the same time, None for those of the event loop.
    """

    def __init__(
        self,
        name: str,
        target: Target[T],
        *,
        max_queue_bytes: int,
        interval_s: float = 0,
        fail: Fail,
        broken: Fail | None = None,
        threads: anyio.CapacityLimiter | None = None,
    ) -> None:
        self.name = name
        self._target = target
        self._queue: ByteQueue[T] = ByteQueue(max_queue_bytes)
        self._max_queue_bytes = max_queue_bytes
        self._interval_s = interval_s
        self._fail = fail
        self._broken = broken or fail
        self._threads = threads
        self._waiting_bytes = 0
        self._hurry = anyio.Event()
        self._closed = False
        self._failed = False
        self._in_thread = False
        self._finished = anyio.Event()

    def put(self, item: T, size_bytes: int) -> None:
        """Queue an item; a queue that is full ends the session, because dropping would be silent."""
        if self._closed:
            return
        self._waiting_bytes += size_bytes
        if self._waiting_bytes * 2 > self._max_queue_bytes:
            self._hurry.set()
        if not self._queue.put(item, size_bytes):
            # What was taken is still written, and nothing after the gap, which would hide it.
            self.close()
            msg = f"{self.name} fell more than {self._max_queue_bytes} bytes behind the session"
            self._fail(OutputError(msg, hint="raise `max_queue_bytes`, or write to something faster"))

    def close(self) -> None:
        """Let `run` end once everything taken is written; what comes later is ignored."""
        self._closed = True
        self._queue.close()
        self._hurry.set()

    @property
    def queued_bytes(self) -> int:
        """How far it is behind the session, in bytes."""
        return self._queue.held_bytes

    @property
    def is_finished(self) -> bool:
        """Whether `run` has ended."""
        return self._finished.is_set()

    async def finished(self) -> None:
        """Wait for the end of `run`: everything is written and on the disk."""
        await self._finished.wait()

    async def flushed(self) -> None:
        """Wait until everything taken is written."""
        self._hurry.set()
        await self._queue.drained()

    async def run(self) -> None:
        """Write until closed; an error is reported through `fail`, and what comes after it is discarded."""
        try:
            while items := await self._queue.get_all():
                self._waiting_bytes = 0
                if not self._failed:
                    await self._in_turn(partial(self._target.write, items))
                # They are held no longer, however long the interval.
                del items
                self._queue.done()
                with anyio.move_on_after(self._interval_s):
                    await self._hurry.wait()
                if not self._closed:
                    self._hurry = anyio.Event()
            await self._in_turn(self._target.finish)
        finally:
            self._queue.done()
            self._finished.set()
            if not self._in_thread:
                self._target.close()

    async def _in_turn(self, work: Callable[[], None]) -> None:
        """Do this in a thread; where that is cancelled, the thread may hang on and must keep its file."""

        def working() -> None:
            self._in_thread = True
            try:
                work()
            except OSError as error:
                kind = OutputClosed if isinstance(error, BrokenPipeError) else OutputError
                self._report(kind(f"{self.name} cannot be written: {reason_of(error)}"))
            except RunnerError as error:
                self._report(error)
            self._in_thread = False
            if self._finished.is_set():
                self._target.close()

        await anyio.to_thread.run_sync(working, abandon_on_cancel=True, limiter=self._threads)

    def _report(self, error: RunnerError) -> None:
        if not self._failed and not self._finished.is_set():
            self._failed = True
            anyio.from_thread.run_sync(self._broken, error)
