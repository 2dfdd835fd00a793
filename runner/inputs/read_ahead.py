"""Reading a little ahead in a thread, so that audio that is due in real time never waits for a disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread

from runner.errors import RunnerError


@asynccontextmanager
async def read_ahead(read: Callable[[], bytes | None], *, pieces: int) -> AsyncIterator[AsyncIterator[bytes]]:
    """Call a blocking function again and again in a thread while the context lasts.

    Args:
        read: Returns the next piece, None at the end.
        pieces: How many pieces may wait to be taken.

    Yields:
        The pieces.

    Raises:
        RunnerError: what `read` has raised, once the pieces before it were taken; or what the body has raised.
    """
    sending, receiving = anyio.create_memory_object_stream[bytes](pieces)
    failure: RunnerError | None = None

    async def fill() -> None:
        nonlocal failure
        threads = anyio.CapacityLimiter(1)
        with sending:
            try:
                while (
                    piece := await anyio.to_thread.run_sync(read, abandon_on_cancel=True, limiter=threads)
                ) is not None:
                    await sending.send(piece)
            except RunnerError as error:
                failure = error

    # Closed while a piece still waits for its place, it would fail the task that reads.
    with receiving:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fill)
            try:
                yield receiving
            except RunnerError as error:
                # Raised below, where no task group wraps it.
                failure = error
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
