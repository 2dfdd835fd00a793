"""A thread for one call, which neither its caller nor the end of the process waits for."""

import contextvars
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio
import anyio.from_thread
import anyio.lowlevel

T = TypeVar("T")


class _Finished(Generic[T]):
    """What has come of a function that ran in a thread."""

    def __init__(self) -> None:
        self.event = anyio.Event()
        self.result: list[T] = []
        self.error: BaseException | None = None


async def run_in_thread(function: Callable[[], T], finished: Callable[[], None] | None = None) -> T:
    """Run a function in a thread of its own and return what it returns; a caller that is cancelled abandons it.

    Threads of a pool are no use: those that an abandoned function holds would keep the process from its end.

    Args:
        function: What to run, with the caller's context variables.
        finished: Called in the thread when the function has ended, whether or not anybody still waits for it.
    """
    outcome = _Finished[T]()
    token = anyio.lowlevel.current_token()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            outcome.result.append(context.run(function))
        except BaseException as error:  # noqa: BLE001  # it is raised where the function is waited for
            outcome.error = error
        finally:
            if finished:
                finished()
        try:
            anyio.from_thread.run_sync(outcome.event.set, token=token)
        except RuntimeError:
            return  # the loop is gone, and with it whoever waited

    threading.Thread(target=run, name="rt-run tool", daemon=True).start()
    await outcome.event.wait()
    if outcome.error is not None:
        raise outcome.error
    return outcome.result[0]
