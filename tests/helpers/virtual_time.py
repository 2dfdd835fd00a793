"""Time that passes only while every task waits, so that a busy machine changes nothing that a test measures."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import anyio
import trio
from trio.testing import MockClock

T = TypeVar("T")

Backend = str | tuple[str, dict[str, Any]]
"""An event loop, as `anyio_backend` names it."""

_IDLE_S = 0.005
"""How long all tasks must really wait before time goes on: what is on its way through the kernel arrives meanwhile."""

_STEP_S = 0.02
"""How far time goes on at once: what waits for a thread gets that much more of real time."""


def virtual_time(backend: str) -> Backend:
    """The options of an event loop: virtual time on trio, real time on asyncio, which knows no other."""
    return ("trio", {"clock": MockClock(autojump_threshold=_IDLE_S)}) if backend == "trio" else backend


@asynccontextmanager
async def in_steps() -> AsyncIterator[None]:
    """Let virtual time go on in small steps; without these it would jump over the limits of what a thread does."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_step)
        yield
        tasks.cancel_scope.cancel()


async def _step() -> None:
    while True:  # noqa: ASYNC110  # it waits for nothing but time
        await anyio.sleep(_STEP_S)


def in_virtual_time(work: Callable[..., Awaitable[T]], *arguments: Any, **named: Any) -> T:
    """Run on trio with a clock that jumps to the next moment that something waits for.

    For what stays within the process: while all tasks wait for a socket or a thread, time flies.
    """
    return trio.run(partial(work, *arguments, **named), clock=MockClock(autojump_threshold=0))
