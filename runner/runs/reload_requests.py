"""The requests to reload a process: each is carried out to its end, whatever becomes of who has asked."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import anyio

from runner import logs
from runner.errors import IllegalEvent, RunnerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    CarryOut = Callable[[], Awaitable[dict[str, Any]]]


class _ReloadRequest:
    """One request, and what has come of it."""

    def __init__(self) -> None:
        self.is_over = anyio.Event()
        self.result: dict[str, Any] = {}
        self.error: RunnerError | None = IllegalEvent("the process ends")


class ReloadRequests:
    """Carries requests out one after the other, in a task of its own: who has asked may go meanwhile.

    Args:
        carry_out: Reloads once; returns what has changed, and raises why it cannot.
    """

    def __init__(self, carry_out: CarryOut) -> None:
        self._carry_out = carry_out
        self._waiting: deque[_ReloadRequest] = deque()
        """What is to be carried out, the one in hand first."""
        self._asked = anyio.Event()
        self._is_over = False

    def ask(self) -> _ReloadRequest:
        """Ask for a reload, and wait for nothing; what comes of it is logged."""
        request = _ReloadRequest()
        if self._is_over:
            request.is_over.set()
        else:
            self._waiting.append(request)
            self._asked.set()
        return request

    async def answered(self) -> dict[str, Any]:
        """Ask for a reload; returns what has changed.

        Raises:
            RunnerError: It cannot be, or the process ends.
        """
        request = self.ask()
        try:
            await request.is_over.wait()
        finally:
            if request in list(self._waiting)[1:]:
                # It has not begun, and nobody waits for it any more.
                self._waiting.remove(request)
        if request.error:
            raise request.error
        return request.result

    async def run(self) -> None:
        """Carry requests out until the task is cancelled, and then none any more."""
        try:
            while True:
                await self._asked.wait()
                self._asked = anyio.Event()
                while self._waiting:
                    await self._settle(self._waiting[0])
                    self._waiting.popleft().is_over.set()
        finally:
            self._is_over = True
            for each in self._waiting:
                each.is_over.set()

    async def _settle(self, request: _ReloadRequest) -> None:
        try:
            request.result, request.error = await self._carry_out(), None
        except RunnerError as error:
            request.error = error
        except Exception:  # noqa: BLE001  # whatever it is, it is ours, and no session shall suffer from it
            logs.logger().exception("internal_error")
            request.error = RunnerError("a bug in rt-run, which the log traces")
