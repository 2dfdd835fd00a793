"""The signals that end a run."""

import signal
from collections.abc import Callable

import anyio
import anyio.abc

Take = Callable[[signal.Signals, anyio.abc.TaskGroup], None]


async def watch(take: Take, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    """Hand every signal to `take`, with a task group for what it has to wait for, until cancelled.

    Afterwards these signals stay blocked: the run is over, and their default actions would change how it went.
    """
    ends = _ends()
    with anyio.open_signal_receiver(*ends) as signals:
        task_status.started()
        try:
            async with anyio.create_task_group() as tasks:
                async for number in signals:
                    take(number, tasks)
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, ends)


def _ends() -> set[signal.Signals]:
    """A hang-up is none of them where whoever started us said so, as nohup does."""
    hang_up = set() if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else {signal.SIGHUP}
    return {signal.SIGINT, signal.SIGTERM} | hang_up
