"""The calls that have not begun, and are not run where their turn is interrupted first."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.protocol.rounds import Round


class Withdrawals:
    """Calls, and requests for approval, that wait for their turn."""

    def __init__(self) -> None:
        self._waiting: dict[anyio.CancelScope, Round] = {}

    def look(self) -> None:
        """Withdraw what waits in turns that do not go on."""
        for scope, round_ in list(self._waiting.items()):
            if not round_.goes_on:
                scope.cancel()

    @contextmanager
    def withdrawable(self, round_: Round) -> Iterator[Callable[[], object]]:
        """Leave the block where the turn is interrupted, until what is given says that it has begun."""
        with anyio.CancelScope() as scope:
            self._waiting[scope] = round_
            try:
                if not round_.goes_on:
                    scope.cancel()
                yield lambda: self._waiting.pop(scope, None)
            finally:
                self._waiting.pop(scope, None)
