"""The next connection of a session: how far it is, and its opening beside whatever carries the session meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import anyio
import anyio.abc

from runner.errors import EndpointUnreachable, RunnerError
from runner.session.carriage import Between, Carried
from runner.session.link import Link

if TYPE_CHECKING:
    from runner.session.carriage import Carriage
    from runner.session.dialer import Dialer


class Wanted(NamedTuple):
    """The next connection is to be opened after a wait."""

    delay_s: float


class Opening:
    """The next connection is being opened."""


class Forgone:
    """No connection could be had to follow the present one, which serves to its end."""


Successor = None | Wanted | Opening | Link | RunnerError | Forgone
"""How far the next connection is: not sought, wanted, being opened, ready, not to be had, or done without."""


class Succession:
    """Opens the next connection of a session, and knows how far it is.

    Args:
        carriage: Where the session is.
        dialer: Opens the connections.
        tasks: Where the next connection is opened beside the present one.

    Attributes:
        next: How far the next connection is.
    """

    def __init__(self, carriage: Carriage, dialer: Dialer, tasks: anyio.abc.TaskGroup) -> None:
        self.next: Successor = None
        self._carriage = carriage
        self._dialer = dialer
        self._tasks = tasks

    @property
    def is_coming(self) -> bool:
        """Whether there is a next connection, or it is being opened."""
        return isinstance(self.next, Link | Opening)

    def fits(self, successor: Link) -> bool:
        """Whether a connection is what the session is to be carried by, which may have changed since it was sought."""
        if successor.renewal or self._carriage.renewal:
            return successor.renewal is self._carriage.renewal
        return not self._dialer.providers.moves(successor)

    def release(self) -> None:
        """Do without the next connection, where it is open."""
        if isinstance(self.next, Link):
            self.next.release()

    def discard(self, successor: Link) -> None:
        """Do without a connection that was lost before it carried the session; the next waits as after any loss."""
        successor.release()
        providers = self._dialer.providers
        backoff = (successor.provider or providers.current).backoff
        backoff.lived(anyio.current_time() - successor.opened_s)
        error = successor.pump.failure or EndpointUnreachable("the connection was lost")
        if (link := self._carriage.link) and successor.provider is not link.provider:
            providers.forgo(link, error)
            self.next = None
            return
        delay_s = backoff.delay_s(error)
        self.next = error if delay_s is None else Wanted(delay_s)

    def open(self, delay_s: float, lost: Callable[[Link], None]) -> None:
        """Have the next connection opened after a wait.

        Args:
            delay_s: How long, in seconds.
            lost: Called with the connection when it has ended; it must not wait.
        """
        self.next = Opening()
        self._tasks.start_soon(self._opened, delay_s, lost)

    async def _opened(self, delay_s: float, lost: Callable[[Link], None]) -> None:
        providers = self._dialer.providers
        try:
            await anyio.sleep(delay_s)
            if isinstance(self._carriage.place, Carried | Between):
                self.next = await self._dialer.open(lost)
        except RunnerError as error:
            self.next = error
            if (renewal := self._carriage.renewal) and renewal.moves:
                # The session goes on as before.
                self._carriage.renewal = None
                self.next = None if self._carriage.link else Wanted(0.0)
                renewal.end(error)
            elif (link := self._carriage.link) and providers.moves(link):
                providers.forgo(link, error)
                self.next = None
        if isinstance(self.next, Link) and not isinstance(self._carriage.place, Carried | Between):
            self.next.release()
        self._carriage.changes.notify()
