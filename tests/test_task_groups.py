"""Task groups whose body is not wrapped."""

import anyio
import pytest

from runner.task_groups import body_task_group

pytestmark = pytest.mark.anyio


async def test_what_the_body_raises_leaves_as_it_is_and_ends_the_tasks() -> None:
    """No exception group around it, and no task that goes on."""
    ended = anyio.Event()

    async def work() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    async def body() -> None:
        async with body_task_group() as tasks:
            tasks.start_soon(work)
            await anyio.wait_all_tasks_blocked()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await body()
    assert ended.is_set()


async def test_a_body_that_ends_ends_its_tasks() -> None:
    """Without being asked."""
    async with body_task_group() as tasks:
        tasks.start_soon(anyio.sleep_forever)


async def test_what_a_task_raises_is_a_group() -> None:
    """As in any task group: the body has not raised it."""

    async def fail() -> None:
        raise KeyError("the task's")

    async def body() -> None:
        async with body_task_group() as tasks:
            tasks.start_soon(fail)
            await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await body()
    assert caught.group_contains(KeyError)


async def test_a_cancelled_body_is_cancelled() -> None:
    """Cancellation passes through."""
    with anyio.move_on_after(0.01) as scope:
        async with body_task_group():
            await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_the_bodys_exception_leaves_as_it_is_though_a_task_fails_too() -> None:
    """What the task has raised is told with it."""

    async def fail() -> None:
        raise KeyError("task")

    async def body() -> None:
        async with body_task_group() as tasks:
            tasks.start_soon(fail)
            raise ValueError("body")

    with pytest.raises(ValueError, match="body") as caught:
        await body()
    assert isinstance(caught.value.__context__, ExceptionGroup)
    assert caught.value.__context__.subgroup(KeyError)
