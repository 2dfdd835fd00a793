"""The signals that end a run."""

import contextlib
import os
import signal
from collections.abc import Callable

import anyio
import anyio.abc

TakeSignal = Callable[[signal.Signals], None]


async def watch(take: TakeSignal, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """Hand every signal that ends a run to `take` until cancelled.

    Afterwards these signals stay blocked: the run is over, and their default actions would change its exit code.
    """
    ends = _ends()
    try:
        with anyio.open_signal_receiver(*ends) as signals:
            task_status.started()
            try:
                async for number in signals:
                    take(number)
            finally:
                signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    except KeyboardInterrupt:
        # asyncio has put Python's own handler back, and a thread that does not block the signal took it.
        pass
    finally:
        _ignore_interrupts()


def has_terminal() -> bool:
    """Whether a terminal controls this process, whose end is what SIGHUP means then."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _ignore_interrupts() -> None:
    """Replace Python's own handler of SIGINT, which can raise anywhere, here too until it is replaced."""
    is_replaced = False
    while not is_replaced:
        with contextlib.suppress(KeyboardInterrupt):
            signal.signal(signal.SIGINT, _ignore)
            is_replaced = True


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing; unlike `SIG_IGN`, programs that we start do not inherit this handler."""


def _ends() -> set[signal.Signals]:
    """The signals that end a run; a hang-up is not among them where the process was started with nohup."""
    hang_up = set() if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else {signal.SIGHUP}
    return {signal.SIGINT, signal.SIGTERM} | hang_up
