"""The signals that end a run."""

import contextlib
import signal
from collections.abc import Callable

import anyio
import anyio.abc

TakeSignal = Callable[[signal.Signals], None]


async def watch(take: TakeSignal, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """Hand every signal to `take` until cancelled.

    Afterwards these signals stay blocked: the run is over, and their default actions would change how it went.
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


def _ignore_interrupts() -> None:
    """Replace Python's own handler, which raises wherever we are; also here, before it is replaced."""
    while signal.getsignal(signal.SIGINT) is not _ignore:
        with contextlib.suppress(KeyboardInterrupt):
            signal.signal(signal.SIGINT, _ignore)


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing; unlike being ignored, it is not passed on to programs that we start."""


def _ends() -> set[signal.Signals]:
    """A hang-up is none of them where whoever started us said so, as nohup does."""
    hang_up = set() if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else {signal.SIGHUP}
    return {signal.SIGINT, signal.SIGTERM} | hang_up
