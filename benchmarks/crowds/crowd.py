"""Many sessions that are open at once, each in a task of its own."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeVar

T = TypeVar("T")

_AT_A_TIME = 50


@asynccontextmanager
async def crowd(opening: Callable[[], AbstractAsyncContextManager[T]], count: int) -> AsyncIterator[list[T]]:
    """Hold so many sessions open; when the block ends, all of them are closed at the same time."""
    _allow_files()
    held: list[T] = []
    complete, over, turns = asyncio.Event(), asyncio.Event(), asyncio.Semaphore(_AT_A_TIME)

    async def hold() -> None:
        async with AsyncExitStack() as stack:
            async with turns:
                held.append(await stack.enter_async_context(opening()))
            if len(held) == count:
                complete.set()
            await over.wait()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(count):
            tasks.create_task(hold())
        await complete.wait()
        yield held
        over.set()


def _allow_files() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
