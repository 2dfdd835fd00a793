"""Where a session is: on a connection, between two of them, being closed, or over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, ClassVar

from runner.connect.changes import Changes
from runner.errors import IllegalEvent, ProtocolError, RunnerError
from runner.protocol.effects import Opened, SessionEnded
from runner.protocol.state import SessionState
from runner.session.spending import Spending
from runner.session.update import Update

if TYPE_CHECKING:
    from runner.api.session_types import SessionType
    from runner.protocol.effects import Effect
    from runner.protocol.json_fields import JsonObject
    from runner.session.link import Link
    from runner.session.provider import Provider
    from runner.session.providers import Providers
    from runner.session.pump import Reader
    from runner.session.renewal import Renewal


@dataclass(frozen=True)
class Carried:
    """A connection carries the session."""

    link: Link
    is_held: bool = False
    """Whether no new turn may begin, since the connection is about to be replaced."""


@dataclass(frozen=True)
class Between:
    """The session has no connection: the last one is lost, or there was none yet."""

    since_s: float
    """Since when, on the event loop's clock, in seconds."""
    attempt: int = 0
    """Which attempt in a row is due or being made, 0 for the very first."""
    error: RunnerError | None = None
    """Why the one before it failed, or why the last connection was lost."""
    link: ClassVar[None] = None


@dataclass(frozen=True)
class Leaving:
    """The client is closing the session; what still comes on its last connection counts."""

    link: Link | None


@dataclass(frozen=True)
class Over:
    """The session has ended."""

    error: RunnerError | None = None
    """What ended it, None where the client did."""
    link: ClassVar[None] = None


Place = Carried | Between | Leaving | Over
Moved = Callable[[Place], None]
"""Called with each new place of a session; it must not wait."""


class Carriage:
    """What is known of a session whatever connection carries it, and the one value that says where it is.

    The keeper moves the session with `carry`, `hold`, `lose` and `end`; the client ends it with `leave` and `end`.

    Args:
        opened_s: Now, on the event loop's clock, in seconds.
        readers: Called with each update; they must not wait.
        moved: Called with each new place.

    Attributes:
        id: The endpoint's name of the session's first connection, which is the session's in all logs.
        epoch: The number of the connection that carries the session, or carried it last; 0 before the first.
        state: What is known of the session, on its latest connection.
        changes: Notified of everything but pieces of answers.
        renewal: The profile that the session is to go by, None where it goes by its own.
        provider: By what the connection was opened that carries the session, or carried it last.
        providers: What can carry the session.
        spending: What it was used for by each of them.
    """

    def __init__(self, opened_s: float, readers: Sequence[Reader] = (), moved: Moved | None = None) -> None:
        self.id, self.epoch = "", 0
        self.state = SessionState()
        self.changes = Changes()
        self._place: Place = Between(opened_s)
        self._readers = [*readers]
        self.renewal: Renewal | None = None
        self.provider: Provider | None = None
        self.providers: Providers | None = None
        self.spending = Spending()
        self.earlier: dict[SessionType, tuple[JsonObject, Provider]] = {}
        """What was wanted last of providers of each kind of session that the present one is not, and of which."""
        self._first_unanswered: RunnerError | None = None
        self._is_playing: Callable[[], bool] = bool
        self._moved = moved

    @property
    def place(self) -> Place:
        """Where the session is."""
        return self._place

    @property
    def link(self) -> Link | None:
        """The connection that carries the session, None between two and after the end."""
        return self._place.link

    @property
    def is_held(self) -> bool:
        """Whether no new turn may begin on the connection that carries the session."""
        return isinstance(self._place, Carried) and self._place.is_held

    @property
    def readers(self) -> Sequence[Reader]:
        """What is called with each update."""
        return self._readers

    @property
    def is_over(self) -> bool:
        """Whether the session has ended, by the endpoint's doing or by the client's."""
        return isinstance(self._place, Over)

    @property
    def failure(self) -> RunnerError | None:
        """What ended the session before the client did."""
        return self._place.error if isinstance(self._place, Over) else None

    @property
    def first_unanswered(self) -> RunnerError | None:
        """Why the first request that got no answer got none."""
        return self._first_unanswered or (self.link.pump.first_unanswered if self.link else None)

    def cost(self) -> float | None:
        """What the session has cost so far, None where nothing has a price."""
        return self.spending.cost(self.state.usage, self.providers.prices) if self.providers else None

    def cost_here(self) -> float | None:
        """What of that this process has spent."""
        earlier, providers = self.state.counts.earlier, self.providers
        return self.spending.cost(self.state.usage, providers.prices, since=earlier) if providers else None

    @property
    def is_playing(self) -> bool:
        """Whether an answer is being heard."""
        return self._is_playing()

    def play_by(self, is_playing: Callable[[], bool]) -> None:
        """Ask `is_playing` whether an answer is being heard; a connection is then replaced only where it must be."""
        self._is_playing = is_playing

    def add_reader(self, read: Reader) -> None:
        """Call `read` with each update from now on; it must not wait."""
        self._set_readers([*self._readers, read])

    def remove_reader(self, read: Reader) -> None:
        """Call `read` no longer."""
        self._set_readers([each for each in self._readers if each != read])

    def resume(self, session_id: str, state: SessionState) -> None:
        """Go on with a session of an earlier process, which has had no connection here yet."""
        self.id, self.state = session_id, state

    def introduce(self, link: Link) -> None:
        """Let the readers hear of the first connection from its beginning, before it carries the session."""
        if not self.epoch:
            link.state.inherit_retries(self.state)
            self._bridge(link)
            self.state = link.state
            link.read_by(self._readers)

    def is_carried_by(self, link: Link) -> bool:
        """Whether this connection carries the session, and the client is not closing it."""
        return isinstance(self._place, Carried) and self._place.link is link

    def carry(self, link: Link) -> bool:
        """Have a connection carry the session from now on; the requests to be retried are retried on it.

        Returns:
            Whether it does: a session that is being closed or over needs no connection more.
        """
        if not isinstance(self._place, Between):
            return False
        is_elsewhere = bool(self.provider and link.provider and not link.provider.is_where(self.provider))
        link.state.inherit_retries(self.state, is_elsewhere=is_elsewhere)
        self._bridge(link)
        if self.state is not link.state:
            self.state.live.leave()
        if is_crossed := self.provider is not None and self.provider.kind != link.state.kind:
            self.earlier[self.provider.kind] = self.state.configuration.wanted, self.provider
        self.state = link.state
        if link.provider is not None:
            self.provider = link.provider
            self.spending.begin(link.provider.name, link.state.usage)
        if is_elsewhere:
            # How this endpoint sends pieces is still to be learned.
            self.state.conversation.sends_snapshots = False
        self.id = self.id or link.state.session_id
        self.epoch = link.epoch
        self._move(Carried(link))
        if is_crossed:
            self.publish([Opened(link.state.session_id, link.state.expires_at, link.state.kind)])
        link.read_by(self._readers)
        self.changes.notify()
        return True

    def _bridge(self, link: Link) -> None:
        """Have what is to be retried asked in the words of a connection's kind of session, or given up."""
        if not (link.state.pending.to_retry or link.state.rounds.open):
            return
        from runner.protocol.bridge import bridge_retries

        if bridge_retries(link.state):
            self.give_up(ProtocolError(f"a {link.state.kind} session cannot be asked for what another kind was"))

    def go_by(self, providers: Providers) -> None:
        """Take it that these can carry the session from now on: the one that does is among them by its name."""
        self.providers = providers
        if self.provider is not None:
            self.provider = providers.named(self.provider.name)
        if self.link is not None:
            self.link.provider = self.provider

    def hold(self, link: Link, *, is_held: bool) -> None:
        """Let new turns wait for the next connection, or let them begin on this one again."""
        if self._place == Carried(link, not is_held):
            self._move(Carried(link, is_held))
            self.changes.notify()

    def lose(self, now_s: float, error: RunnerError | None = None) -> None:
        """Have no connection carry the session for now; its readers hear nothing more of the last one.

        Args:
            now_s: Now, on the event loop's clock, in seconds.
            error: Why, None where the next connection is there already.
        """
        if isinstance(self._place, Carried):
            self._first_unanswered = self.first_unanswered
            self._place.link.mute()
            self._move(Between(now_s, error=error))
            self.changes.notify()

    def fail(self, attempt: int, error: RunnerError) -> None:
        """Note the attempt that is due because of an error, unless a connection still carries the session."""
        if isinstance(self._place, Between):
            self._move(Between(self._place.since_s, attempt, error))

    def leave(self) -> Link | None:
        """Begin to close the session: a loss of its connection is recovered no more; returns that connection."""
        if not self.is_over:
            self._move(Leaving(self.link))
            self.changes.notify()
        return self.link

    def end(self, failure: RunnerError | None = None) -> None:
        """End the session; the first end counts."""
        if self.is_over:
            return
        self._first_unanswered = self.first_unanswered
        self._move(Over(failure))
        self.publish([SessionEnded()])
        self._readers, self._moved = [], None

    def publish(self, effects: Sequence[Effect]) -> None:
        """Have the readers take in what no event of the endpoint has brought."""
        update = Update(None, effects, time(), 0)
        for read in self._readers:
            read(update)
        self.changes.notify()

    def give_up(self, error: RunnerError) -> None:
        """Note why a request will not be answered."""
        self._first_unanswered = self._first_unanswered or error

    def check(self) -> None:
        """Raise what ended the session, or `IllegalEvent` where the client did; do nothing while it lives."""
        if self.failure:
            raise self.failure
        if self.is_over:
            msg = "the session is closed"
            raise IllegalEvent(msg)

    def _move(self, place: Place) -> None:
        self._place = place
        if self._moved is not None:
            self._moved(place)

    def _set_readers(self, readers: list[Reader]) -> None:
        self._readers = readers
        if self.link is not None:
            self.link.read_by(readers)
