"""Task groups whose body is not wrapped: what it raises leaves as it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc


@asynccontextmanager
async def body_task_group() -> AsyncIterator[anyio.abc.TaskGroup]:
    """Open a task group that ends with its body, and whose body's exception leaves in no exception group."""
    failure: BaseException | None = None
    try:
        async with anyio.create_task_group() as tasks:
            try:
                yield tasks
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as error:  # noqa: BLE001  # raised below, where no task group wraps it
                failure = error
            finally:
                tasks.cancel_scope.cancel()
    except BaseExceptionGroup:
        # What tasks raise because of the same is told with it.
        if failure is not None:
            raise failure  # noqa: B904  # its context is what they raised
        raise
    if failure is not None:
        raise failure
