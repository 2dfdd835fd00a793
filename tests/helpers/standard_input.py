"""A pipe in the place of standard input."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from runner.inputs.broadcast import Broadcast


@asynccontextmanager
async def standard_input(**settings: Any) -> AsyncIterator[tuple[Broadcast, int]]:
    """A broadcast of a pipe with these settings, and the end to write to, which the test closes."""
    receiving, sending = os.pipe()
    try:
        async with anyio.create_task_group() as tasks:
            broadcast = Broadcast(receiving, **{"max_line_bytes": 1 << 20, **settings})
            tasks.start_soon(broadcast.run)
            yield broadcast, sending
            tasks.cancel_scope.cancel()
    finally:
        os.close(receiving)
