"""Task groups whose body is not wrapped: what it raises leaves as it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc


@asynccontextmanager
async def body_task_group(*, is_awaited: bool = False) -> AsyncIterator[anyio.abc.TaskGroup]:
    """Open a task group that ends with its body, and whose body's exception leaves in no exception group.

    Args:
        is_awaited: Whether the tasks end by themselves once the body has; without it they are cancelled then.
    """
    failure: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001  # raised below, where no task group wraps it
            failure = error
        finally:
            if not is_awaited:
                tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
