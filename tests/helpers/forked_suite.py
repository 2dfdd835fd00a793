"""Runs tests in processes that are forked from the one which has collected them."""

from __future__ import annotations

import multiprocessing
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from math import inf
from multiprocessing.connection import Connection, wait
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.context import ForkProcess

_FORK = multiprocessing.get_context("fork")
END_S = 10.0
"""How long a process may take to end when it is told to."""
_LOOK_S = 1.0
"""How often to look for an item that its own process cannot end in time."""


@dataclass
class _Worker:
    """A process, and the indexes of the items that it was given and has not reported, the first of which it runs.

    Attributes:
        heard_s: When it began to run that one, on the clock of this process, in seconds.
    """

    process: ForkProcess
    connection: Connection
    given: deque[int] = field(default_factory=deque)
    is_complete: bool = False
    heard_s: float = field(default_factory=monotonic)


class ForkedSuite:
    """The collected items of a session, run in so many processes; all that they report is reported here.

    Args:
        session: What has been collected.
        shares: The indexes of the items, in the order of their run; those of one share are run by one process.
        size: How many processes run at once.
    """

    def __init__(self, session: pytest.Session, shares: Iterable[list[int]], size: int) -> None:
        self._session = session
        self._shares = deque(shares)
        self._size = size
        self._workers: list[_Worker] = []
        self._names = (f"worker-{number}" for number in count(1))

    def run(self) -> None:
        """Run them all, or as many as `--maxfail` allows.

        Raises:
            pytest.Session.Failed: As many have failed as may.
        """
        try:
            while self._shares and len(self._workers) < self._size:
                self._fork()
            while self._workers:
                ready = wait([worker.connection for worker in self._workers], _LOOK_S)
                for worker in [each for each in self._workers if each.connection in ready]:
                    self._hear(worker)
                for worker in self._workers:
                    if worker.given and monotonic() - worker.heard_s > self._longest_s(worker.given[0]):
                        worker.process.kill()
        finally:
            for worker in self._workers:
                worker.process.terminate()
                worker.process.join(END_S)
                worker.process.kill()

    def _fork(self) -> None:
        ours, theirs = _FORK.Pipe()
        others = [ours, *(each.connection for each in self._workers)]
        process = _FORK.Process(target=_run_items, args=(self._session, theirs, others, next(self._names)))
        process.start()
        theirs.close()
        self._workers.append(worker := _Worker(process, ours))
        self._give(worker)

    def _give(self, worker: _Worker) -> None:
        """Let it know what it runs next before it begins its last item, whose fixtures may serve that one too."""
        with suppress(BrokenPipeError):
            while len(worker.given) < 2 and not worker.is_complete:
                share = self._shares.popleft() if self._shares else []
                worker.given.extend(share)
                worker.is_complete = not share
                worker.connection.send(share)

    def _longest_s(self, index: int) -> float:
        """How long an item may take: its time limit, and as much again for what its process makes of that itself."""
        item = self._session.items[index]
        marker = item.get_closest_marker("timeout")
        limit_s = marker.args[0] if marker else self._session.config.getini("timeout")
        return 2 * float(limit_s or inf)

    def _hear(self, worker: _Worker) -> None:
        try:
            reports = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            self._bury(worker)
            return
        worker.heard_s = monotonic()
        config = self._session.config
        restore = config.hook.pytest_report_from_serializable
        self._report(worker.given.popleft(), [restore(config=config, data=each) for each in reports])
        self._give(worker)

    def _bury(self, worker: _Worker) -> None:
        """Take leave of a process; the item that has ended it fails, and what else it was given goes to another one."""
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join()
        if not worker.given:
            return
        index = worker.given.popleft()
        item = self._session.items[index]
        why = f"the process that ran it ended with exit code {worker.process.exitcode}"
        self._report(index, [pytest.TestReport(item.nodeid, item.location, {}, "failed", why, "call")])
        if worker.given:
            self._shares.appendleft(list(worker.given))
        if self._shares:
            self._fork()

    def _report(self, index: int, reports: list[pytest.TestReport]) -> None:
        item, session = self._session.items[index], self._session
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)


class _ReportSender:
    """A plugin that sends what is reported of an item instead of showing it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run the item; its reports are sent together, so that it is reported whole or not at all."""
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        serialize = item.config.hook.pytest_report_to_serializable
        self._connection.send([serialize(config=item.config, report=each) for each in reports])
        return True


def _run_items(session: pytest.Session, connection: Connection, others: list[Connection], name: str) -> None:
    """Run the items whose indexes come, until an empty share does; the main function of a forked process."""
    for other in others:
        other.close()
    _separate(session.config, name)
    session.config.pluginmanager.register(_ReportSender(connection))
    waiting: deque[int] = deque()
    is_complete = False
    try:
        while waiting or not is_complete:
            while len(waiting) < 2 and not is_complete:
                share = connection.recv()
                waiting.extend(share)
                is_complete = not share
            if waiting:
                item = session.items[waiting.popleft()]
                nextitem = session.items[waiting[0]] if waiting else None
                item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
    except (KeyboardInterrupt, EOFError, BrokenPipeError):
        session._setupstate.teardown_exact(None)  # nobody listens any more, but what was begun has an end


def _separate(config: pytest.Config, name: str) -> None:
    """Give a forked process what it may not share with the others: captured output, a folder, and its coverage."""
    manager: Any = config.pluginmanager
    if capture := manager.getplugin("capturemanager"):
        capture.stop_global_capturing()
        capture.start_global_capturing()
    folders: Any = config._tmp_path_factory  # type: ignore[attr-defined]  # pytest has no other
    folders._basetemp = folders.getbasetemp() / name
    folders._basetemp.mkdir()
    if (plugin := manager.getplugin("_cov")) and plugin.cov_controller:
        import coverage

        plugin.cov_controller.cov = coverage.Coverage.current()
