"""Threads of calls are used again while there is something to do, and wait for nobody."""

import os
import threading

import anyio
import anyio.to_thread
import pytest

from runner.tools import daemon_thread
from runner.tools.daemon_thread import run_in_thread
from tests.helpers.endpoint_scripts import PATIENCE_S

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _none_idle() -> None:
    """What other tests have left is not used."""
    daemon_thread._DaemonThread.idle.clear()


async def idle() -> daemon_thread._DaemonThread:
    """The thread that waits for a function."""
    while not daemon_thread._DaemonThread.idle:  # noqa: ASYNC110  # there is no event for it
        await anyio.sleep(0.001)
    return daemon_thread._DaemonThread.idle[-1]


async def test_calls_after_each_other_share_a_thread_and_others_do_not() -> None:
    """What one of them raises is its caller's, and changes nothing for the next."""
    meeting = threading.Barrier(2, timeout=PATIENCE_S)

    def meet() -> int:
        meeting.wait()
        return threading.get_ident()

    async def call() -> None:
        together.append(await run_in_thread(meet))

    together: list[int] = []
    with anyio.fail_after(PATIENCE_S):
        first = await run_in_thread(threading.get_ident)
        await idle()
        with pytest.raises(ZeroDivisionError):
            await run_in_thread(lambda: 1 // 0)
        await idle()
        assert await run_in_thread(threading.get_ident) == first
        await idle()
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(call)
    assert len(set(together)) == 2
    assert first in together


async def test_a_thread_without_calls_ends_unless_one_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was taken at the last moment still runs what it was taken for; a child process takes none of them."""
    monkeypatch.setattr(daemon_thread, "_IDLE_S", 0.05)
    with anyio.fail_after(PATIENCE_S):
        await run_in_thread(bool)
        taken = await idle()
        daemon_thread._DaemonThread.idle.remove(taken)
        await anyio.sleep(0.2)
        done = threading.Event()
        taken.run(done.set)
        while not done.is_set():  # noqa: ASYNC110  # there is no event for it
            await anyio.sleep(0.001)
        if (child := os.fork()) == 0:
            os._exit(len(daemon_thread._DaemonThread.idle))
        assert await anyio.to_thread.run_sync(os.waitpid, child, 0) == (child, 0)
        while daemon_thread._DaemonThread.idle:  # noqa: ASYNC110  # likewise
            await anyio.sleep(0.001)
