"""The clock of the event loop, for those whom the loop calls back."""

import asyncio
from collections.abc import Callable

import anyio


def loop_clock() -> Callable[[], float]:
    """The clock of the running event loop, in seconds, for callbacks as well as tasks.

    `anyio.current_time` finds the loop by its task; a callback has none in a program that began with `asyncio.run`.
    """
    try:
        return asyncio.get_running_loop().time
    except RuntimeError:
        return anyio.current_time
