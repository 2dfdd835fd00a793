"""Time that passes at once: hours of a session in moments, and the same each time, whatever else the machine does."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import trio
import trio.testing

T = TypeVar("T")


def in_virtual_time(work: Callable[..., Awaitable[T]], *arguments: Any, **named: Any) -> T:
    """Run on trio with a clock that jumps to the next moment that something waits for.

    For what stays within the process: while all tasks wait for a socket or a thread, time flies.
    """
    return trio.run(partial(work, *arguments, **named), clock=trio.testing.MockClock(autojump_threshold=0))
