"""Reading a little ahead in a thread, so that audio that is due in real time never waits for a disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread

from runner.errors import RunnerError
from runner.task_groups import body_task_group


@asynccontextmanager
async def read_ahead(read: Callable[[], tuple[bytes, bool]], *, pieces: int) -> AsyncIterator[AsyncIterator[bytes]]:
    """Call a blocking function again and again in a thread while the context lasts.

    Args:
        read: Returns the next piece, and whether it is the last one.
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
                is_last = False
                while not is_last:
                    piece, is_last = await anyio.to_thread.run_sync(read, abandon_on_cancel=True, limiter=threads)
                    await sending.send(piece)
            except RunnerError as error:
                failure = error

    # Closed while a piece still waits for its place, it would fail the task that reads.
    with receiving:
        async with body_task_group() as tasks:
            tasks.start_soon(fill)
            yield receiving
    if failure is not None:
        raise failure
