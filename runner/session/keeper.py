"""Keeps one session connected: opens it, opens it again after a loss, and moves it on before its connection expires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import anyio.lowlevel

from runner import logs
from runner.errors import EndpointBusy, EndpointUnreachable, IllegalEvent, RunnerError
from runner.session.backoff import expires_too_soon
from runner.session.carriage import Between, Carried
from runner.session.expiry import Expiry
from runner.session.handover import Handover
from runner.session.link import Link
from runner.session.providers import keeps_failing
from runner.session.recorder import closed_note
from runner.session.retry import Retry
from runner.session.stall import StallDetector
from runner.session.successor import Forgone, Succession, Wanted

if TYPE_CHECKING:
    from runner.session.backoff import Backoff
    from runner.session.carriage import Carriage
    from runner.session.dialer import Dialer
    from runner.session.outbox import Outbox
    from runner.session.providers import Providers


class Keeper:
    """The one place that replaces a session's connections: it alone moves the session's carriage from one to the next.

    Args:
        carriage: Where the session is.
        outbox: What goes out of the session.
        dialer: Opens the connections.
        tasks: Where the next connection is opened beside the present one.
    """

    def __init__(self, carriage: Carriage, outbox: Outbox, dialer: Dialer, tasks: anyio.abc.TaskGroup) -> None:
        self._handover = Handover(carriage, outbox, dialer)
        self._carriage = carriage
        self._dialer = dialer
        self._succession = Succession(carriage, dialer, tasks)
        self._forced: Link | None = None
        """The connection that the keeper itself has cut to replace it."""

    async def open(self) -> None:
        """Open the session's first connection; raises what stands in the way once no attempt is left."""
        self._carriage.carry(await self._dialer.open(self._lost))

    async def run(self) -> None:
        """Keep the session connected until it is being closed or over."""
        logs.bind(session_id=self._carriage.id)
        while True:
            if (renewal := self._carriage.renewal) and not renewal.moves:
                self._handover.adopt(renewal)
            match self._carriage.place:
                case Carried(link=link):
                    await self._carried(link)
                case Between() as place:
                    await self._between(place)
                case _:
                    break
        self._succession.release()
        if renewal := self._carriage.renewal:
            renewal.end(IllegalEvent("the session has ended"))

    async def _carried(self, link: Link) -> None:
        """Look after a connection until it is lost or replaced."""
        carriage, renewal = self._carriage, self._carriage.renewal
        if link.pump.is_over:
            # It was lost before it carried the session.
            self._lose(link)
            return
        providers, settings = self._providers, self._providers.settings
        expiry = Expiry(link, settings.rollover, anyio.current_time())
        stall = StallDetector(link, settings.stall_timeout_s)
        retry = Retry(link, settings.reconnect)
        following = providers.current
        if renewal or self._providers.moves(link):
            expiry.hasten(renewal.asked_s if renewal else providers.chosen_s)
        while carriage.is_carried_by(link) and carriage.renewal is renewal:
            now_s = anyio.current_time()
            stall.look(now_s)
            return_s = providers.look(link)
            if not carriage.is_carried_by(link) or providers.current is not following:
                return
            if not (self._providers.moves(link) and keeps_failing(link)) and await retry.look(now_s):
                # What changed meanwhile has woken no task; and the end of a connection may still have to arrive.
                await anyio.lowlevel.checkpoint()
                continue
            if now_s >= expiry.seek_s and await self._roll_over(link, expiry, now_s):
                continue
            await carriage.changes.next(by_s=min(stall.next_s, retry.next_s, expiry.next_s(now_s), return_s))

    async def _roll_over(self, link: Link, expiry: Expiry, now_s: float) -> bool:
        """Do what is due to replace a connection that will expire; returns whether to look at once what is due next."""
        match self._succession.next:
            case Link() as successor:
                return await self._followed(link, successor, expiry, now_s)
            case Forgone() if self._carriage.renewal or self._providers.moves(link):
                self._succession.next = None
                return True
            case RunnerError() as error:
                # The old connection still serves; what stands in the way counts when that is gone.
                logs.logger().error("rollover_failed", **error.facts)
                self._succession.next = Forgone()
                self._carriage.hold(link, is_held=False)
            case Wanted() if self._is_to_be_forked(link):
                return self._left_to_fork(link, expiry, now_s)
            case Wanted(delay_s=delay_s):
                # Until there is a successor, the present connection serves.
                self._carriage.hold(link, is_held=False)
                self._succession.open(delay_s, self._lost)
            case None:
                self._seek(link, expiry)
                return True
            case _:
                pass
        return False

    async def _followed(self, link: Link, successor: Link, expiry: Expiry, now_s: float) -> bool:
        """Have the next connection take over, once it can; returns whether to look at once what is due next."""
        if not self._succession.fits(successor):
            successor.release()
            self._succession.next = None
        elif successor.pump.is_over:
            self._succession.discard(successor)
        elif not await self._replaced(link, successor, expiry, now_s):
            if not self._is_quiet(link):
                return False
            # Something came during the history replay, which has to go on with that.
            await anyio.lowlevel.checkpoint()
        return True

    def _seek(self, link: Link, expiry: Expiry) -> None:
        """Have the next connection opened, after a wait where the endpoint lets none of them live for long."""
        is_asked = self._carriage.renewal or self._providers.moves(link)
        delay_s = 0.0 if is_asked else self._backoff(link).following_s(expiry.given_s)
        if delay_s:
            life_s, retry_in_s = round(expiry.given_s, 1), round(delay_s, 3)
            logs.logger().warning("rollover_delayed", epoch=link.epoch, life_s=life_s, retry_in_s=retry_in_s)
        self._succession.next = expires_too_soon(expiry.given_s) if delay_s is None else Wanted(delay_s)

    async def _between(self, place: Between) -> None:
        """Wait for the next connection, and have it carry the session."""
        match self._succession.next:
            case Link() as successor if not self._succession.fits(successor):
                successor.release()
                self._succession.next = Wanted(0.0)
            case Link() as successor:
                self._succession.next = None
                await self._handover.prime(successor)
                event = "session_resumed" if place.error else "session_moved"
                await self._handover.carry(successor, event, since_s=place.since_s)
            case RunnerError() as error:
                self._carriage.end(error)
            case Wanted(delay_s=delay_s):
                self._succession.open(delay_s, self._lost)
            case _:
                await self._carriage.changes.next()

    async def _replaced(self, link: Link, successor: Link, expiry: Expiry, now_s: float) -> bool:
        """Replace a connection if the moment is right; returns whether it was."""
        carriage = self._carriage
        if not self._is_time(link, expiry, now_s):
            return False
        if not link.pump.is_over:
            # Meanwhile the old connection carries the session, and what is said on it counts; questions wait.
            carriage.hold(link, is_held=True)
            await self._handover.prime(successor)
            if not carriage.is_carried_by(link):
                return True
            if not link.state.quiet or successor.pump.is_over or successor.lacks(self._providers.settings.history):
                carriage.hold(link, is_held=now_s >= expiry.hold_s)
                return False
        self._succession.next = None
        self._let_go(link)
        if link.pump.is_over:
            await self._handover.prime(successor)
        await self._handover.carry(successor, "session_moved")
        return True

    def _left_to_fork(self, link: Link, expiry: Expiry, now_s: float) -> bool:
        """Close a stored session if the moment is right, so that the next connection can fork it; returns whether."""
        if not self._is_time(link, expiry, now_s):
            return False
        link.is_to_be_forked = True
        self._let_go(link)
        return True

    def _is_time(self, link: Link, expiry: Expiry, now_s: float) -> bool:
        """Whether a connection is to be replaced now: it is quiet, or is cut since it was not for too long."""
        self._carriage.hold(link, is_held=now_s >= expiry.hold_s)
        if self._is_quiet(link) or (now_s >= expiry.cut_s and link.state.quiet):
            return True
        if now_s < expiry.cut_s:
            return False
        logs.logger().warning("rollover_forced", epoch=link.epoch)
        self._forced, error = link, EndpointBusy("the connection was about to expire", code="session_expired")
        link.pump.fail(error)
        self._give_up_unanswered(link, error)
        return True

    def _let_go(self, link: Link) -> None:
        """Have the session leave a connection that is to be replaced, and that be closed."""
        now_s = anyio.current_time()
        self._carriage.lose(now_s)
        self._backoff(link).lived(now_s - link.opened_s)
        link.note(closed_note(reason="rollover"))
        link.release()

    @property
    def _providers(self) -> Providers:
        return self._dialer.providers

    def _backoff(self, link: Link) -> Backoff:
        return (link.provider or self._providers.current).backoff

    def _is_to_be_forked(self, link: Link) -> bool:
        """Whether the session goes on by a fork, which there is only of a session that is closed."""
        is_asked = self._carriage.renewal or self._providers.moves(link)
        return not is_asked and self._dialer.forks.would_fork(link.state)

    def _is_quiet(self, link: Link) -> bool:
        """Whether nothing is lost if this connection is replaced now; an answer can be truncated only where it came."""
        return link.state.quiet and not self._carriage.is_playing

    def _lost(self, link: Link) -> None:
        """Take in that a connection has ended, in the callback that ended it."""
        if self._carriage.is_carried_by(link) and link is not self._forced:
            # This callback's context may be older than the session's id.
            with logs.bound(session_id=self._carriage.id):
                self._lose(link)

    def _lose(self, link: Link) -> None:
        """Deal with the end of the connection that carries the session, which the client has not asked for."""
        carriage, now_s = self._carriage, anyio.current_time()
        if link.state.closing.is_concluded:
            # The program has asked the endpoint for the end, and got it.
            link.note(closed_note())
            carriage.end()
            return
        error = link.pump.failure or EndpointUnreachable("the connection was lost")
        backoff, lived_s = self._backoff(link), now_s - link.opened_s
        recovery = backoff.recovery_of(error)
        backoff.lived(lived_s)
        carriage.lose(now_s, error)
        link.release()
        link.note(closed_note(error))
        has_successor, moves = self._succession.is_coming, self._providers.moves(link)
        delay_s = 0.0 if moves or (has_successor and recovery != "hopeless") else backoff.delay_s(error)
        row: dict[str, Any] = {"recovery": recovery, "lived_s": round(lived_s, 3)}
        if delay_s is not None:
            row |= {"attempt": backoff.attempt, "retry_in_s": round(delay_s, 3)}
        logs.logger().warning("connection_lost", **self._dialer.told(link), **row, **error.facts)
        self._give_up_unanswered(link, error)
        is_over = delay_s is None
        if not moves and (is_over or keeps_failing(link)) and self._providers.fall_back(error, anyhow=is_over):
            delay_s = 0.0
        if delay_s is None:
            carriage.end(error)
        elif not has_successor:
            carriage.fail(backoff.attempt, error)
            # This may be a callback of the event loop, where no task can be started.
            self._succession.next = Wanted(delay_s)
            carriage.changes.notify()

    def _give_up_unanswered(self, link: Link, error: RunnerError) -> None:
        if link.state.unanswered:
            self._carriage.give_up(error)
            logs.logger().error("response_given_up", responses=len(link.state.unanswered), error=error.message)
