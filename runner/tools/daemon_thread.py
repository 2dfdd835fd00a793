"""Threads for calls, which neither their callers nor the end of the process waits for."""

import contextvars
import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar

import anyio
import anyio.lowlevel

T = TypeVar("T")

_IDLE_S: Final = 10.0
"""How long a thread waits for another call, in seconds: to start one takes longer than many a call."""


class _Finished(Generic[T]):
    """What has come of a function that ran in a thread."""

    def __init__(self) -> None:
        self.event = anyio.Event()
        self.result: list[T] = []
        self.error: BaseException | None = None


class _DaemonThread:
    """A thread that runs one function after another, until none has come for a while."""

    idle: Final[list["_DaemonThread"]] = []
    """Those that wait for a function, the last to have one at the end."""

    def __init__(self) -> None:
        self._functions: SimpleQueue[Callable[[], None]] = SimpleQueue()
        threading.Thread(target=self._run, name="rt-run tool", daemon=True).start()

    def run(self, function: Callable[[], None]) -> None:
        """Have the thread run this; it raises nothing."""
        self._functions.put(function)

    def _run(self) -> None:
        while True:
            try:
                self._functions.get(timeout=_IDLE_S)()
            except Empty:
                try:
                    self.idle.remove(self)
                except ValueError:
                    # Somebody has just taken it, and has a function for it.
                    continue
                return
            self.idle.append(self)


# A child process has none of its parent's threads.
os.register_at_fork(after_in_child=_DaemonThread.idle.clear)


async def run_in_thread(function: Callable[[], T], finished: Callable[[], None] | None = None) -> T:
    """Run a function in a thread of its own and return what it returns; a caller that is cancelled abandons it.

    Threads of a pool are no use: those that an abandoned function holds would keep the process from its end.

    Args:
        function: What to run, with the caller's context variables.
        finished: Called in the thread when the function has ended, whether or not anybody still waits for it.
    """
    outcome = _Finished[T]()
    call_soon = _call_soon()
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
            call_soon(outcome.event.set)
        except RuntimeError:
            return  # the loop is gone, and with it whoever waited

    try:
        thread = _DaemonThread.idle.pop()
    except IndexError:
        thread = _DaemonThread()
    thread.run(run)
    await outcome.event.wait()
    if outcome.error is not None:
        raise outcome.error
    return outcome.result[0]


def _call_soon() -> Callable[[Callable[[], object]], object]:
    """What has this event loop call something, from any thread, which does not wait for it as anyio's own way does."""
    loop: Any = anyio.lowlevel.current_token().native_token
    found: Callable[[Callable[[], object]], object] = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
    return found
