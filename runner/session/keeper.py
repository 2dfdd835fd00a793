"""Keeps one session connected: opens it, opens it again after a loss, and moves it on before its connection expires."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.lowlevel

from runner import logs
from runner.errors import EndpointBusy, EndpointUnreachable, RunnerError
from runner.session import effect_log
from runner.session.backoff import Backoff
from runner.session.dialer import CONFIRMATION_S, Dialer
from runner.session.expiry import Expiry
from runner.session.link import Link
from runner.session.recorder import closed_note
from runner.session.retry import Retry
from runner.session.stall import StallDetector

if TYPE_CHECKING:
    from runner.session.recorder import Recorder
    from runner.session.session import Session
    from runner.settings.profile import Profile


class Keeper:
    """The one place that replaces a session's connections.

    Args:
        profile: Where to, as whom, and how persistently.
        session: The session that the connections carry.
        tasks: Where the connections live, a task each.
        recorder: Keeps a record of all events.
        slots: Held by each attempt to connect.
    """

    def __init__(
        self,
        profile: Profile,
        session: Session,
        tasks: anyio.abc.TaskGroup,
        recorder: Recorder | None = None,
        slots: anyio.Semaphore | None = None,
    ) -> None:
        self._settings = profile.run
        self._session = session
        self._tasks = tasks
        self._backoff = Backoff(profile.run.reconnect)
        self._dialer = Dialer(profile, session, tasks, self._backoff, recorder, slots)
        self._opening = False
        self._successor: Link | None = None
        self._trouble: RunnerError | None = None
        self._lost_s = math.nan

    async def open(self) -> None:
        """Open the session's first connection; raises what stands in the way once no attempt is left."""
        self._session.attach(await self._dialer.open())

    async def run(self) -> None:
        """Keep the session connected until it is over."""
        session = self._session
        effect_log.bind(session_id=session.id)
        while not session.is_over and not session.is_closing:
            if session.link is None:
                await self._between()
            else:
                await self._during(session.link)

    async def _during(self, link: Link) -> None:
        """Mind a connection until it is lost or replaced."""
        session = self._session
        expiry = Expiry(link, self._settings.rollover, anyio.current_time())
        stall = StallDetector(link, self._settings.stall_timeout_s)
        repetition = Retry(link, self._settings.reconnect)
        may_replace = True
        while session.link is link and not session.is_closing:
            now_s = anyio.current_time()
            if link.pump.is_over:
                return self._lose(link)
            stall.look(now_s)
            if await repetition.look(now_s):
                # What has changed meanwhile was told to nobody.
                continue
            if now_s >= expiry.seek_s:
                if self._successor and self._successor.pump.is_over:
                    self._discard(self._successor)
                if self._trouble:
                    # The old connection still serves; what stands in the way counts when it is gone.
                    logs.logger().error("rollover_failed", **self._trouble.facts)
                    self._trouble, may_replace, session.is_holding = None, False, False
                    session.changes.notify()
                elif self._successor and await self._replaced(link, self._successor, expiry, now_s):
                    return None
                elif self._successor and self._is_quiet(link):
                    # Something came while the successor was told of the rest; now it has to be told of that.
                    await anyio.lowlevel.checkpoint()
                    continue
                elif self._successor is None and may_replace:
                    self._open_next(0.0)
            with anyio.CancelScope(deadline=min(stall.next_s, repetition.next_s, expiry.next_s(now_s))):
                await session.changes.next()
        return None

    async def _between(self) -> None:
        """Wait for the next connection, and hand the session over to it."""
        if self._trouble:
            return self._session.end(self._trouble)
        if self._successor is None:
            return await self._session.changes.next()
        successor, self._successor = self._successor, None
        await self._hand_over(None, successor)
        return None

    async def _replaced(self, link: Link, successor: Link, expiry: Expiry, now_s: float) -> bool:
        """Replace a connection if the moment is right; returns whether it was."""
        self._session.is_holding = now_s >= expiry.hold_s
        is_quiet = self._is_quiet(link) or (now_s >= expiry.cut_s and link.state.quiet)
        if now_s >= expiry.cut_s and not is_quiet:
            logs.logger().warning("rollover_forced", epoch=link.epoch)
            error = EndpointBusy("the connection was about to expire", code="session_expired")
            link.pump.fail(error)
            self._give_up_unanswered(link, error)
        elif not is_quiet:
            return False
        else:
            # Meanwhile the old connection carries the session, and whatever is said on it counts; what is only to be
            # asked waits this moment.
            self._session.is_holding = True
            await self._prime(successor)
            if not link.state.quiet or successor.pump.is_over or successor.lacks(self._settings.history):
                self._session.is_holding = now_s >= expiry.hold_s
                self._session.changes.notify()
                return False
        self._successor = None
        await self._hand_over(link, successor)
        return True

    def _is_quiet(self, link: Link) -> bool:
        """Whether nothing is lost if this connection is replaced now; an answer can be truncated only where it came."""
        return link.state.quiet and not self._session.is_playing

    def _lose(self, link: Link) -> None:
        """Deal with the end of a connection that nobody asked for."""
        session, now_s = self._session, anyio.current_time()
        if link.state.translation.is_concluded:
            # Somebody has asked the endpoint for the end, and got it.
            link.note(closed_note())
            session.end()
            return
        error = link.pump.failure or EndpointUnreachable("the connection was lost")
        kind, lived_s = self._backoff.recovery_of(error), now_s - link.opened_s
        self._backoff.lived(lived_s)
        self._lost_s = now_s
        session.detach()
        link.release()
        link.note(closed_note(error))
        is_replaced = kind != "hopeless" and (self._successor is not None or self._opening)
        delay_s = 0.0 if is_replaced else self._backoff.delay_s(error)
        row = {} if delay_s is None else {"attempt": self._backoff.attempt, "retry_in_s": round(delay_s, 3)}
        log = logs.logger()
        log.warning("connection_lost", epoch=link.epoch, recovery=kind, lived_s=round(lived_s, 3), **row, **error.facts)
        self._give_up_unanswered(link, error)
        if delay_s is None:
            session.end(error)
        elif not is_replaced:
            self._open_next(delay_s)

    def _give_up_unanswered(self, link: Link, error: RunnerError) -> None:
        if link.state.unanswered:
            self._session.give_up(error)
            logs.logger().error("response_given_up", responses=len(link.state.unanswered), error=error.message)

    async def _hand_over(self, old: Link | None, successor: Link) -> None:
        """Have the session carried on by a connection that knows of it, the last turns included."""
        session = self._session
        session.detach()
        if old is None or old.pump.is_over:
            await self._prime(successor)
        session.is_holding = False
        if old is not None:
            self._backoff.lived(anyio.current_time() - old.opened_s)
            old.note(closed_note(reason="rollover"))
            old.release()
        session.attach(successor)
        dropped_bytes = await session.flush_audio()
        gap_s = 0.0 if old is not None else anyio.current_time() - self._lost_s
        logs.logger().info(
            "session_moved" if old is not None else "session_resumed",
            epoch=successor.epoch,
            gap_s=round(gap_s, 3),
            items=successor.replayed_items,
            **({"audio_dropped_bytes": dropped_bytes} if dropped_bytes else {}),
        )

    async def _prime(self, successor: Link) -> None:
        wanted = self._session.state.configuration.wanted
        await successor.prime(wanted, self._settings.history, timeout_s=CONFIRMATION_S)

    def _discard(self, successor: Link) -> None:
        """Do without a connection that was lost before it carried the session; the next waits like after any loss."""
        self._successor = None
        successor.release()
        self._backoff.lived(anyio.current_time() - successor.opened_s)
        error = successor.pump.failure or EndpointUnreachable("the connection was lost")
        delay_s = self._backoff.delay_s(error)
        if delay_s is None:
            self._trouble = error
        else:
            self._open_next(delay_s)

    def _open_next(self, delay_s: float) -> None:
        if not self._opening:
            self._opening = True
            self._tasks.start_soon(self._opened_next, delay_s)

    async def _opened_next(self, delay_s: float) -> None:
        try:
            await anyio.sleep(delay_s)
            self._successor = await self._dialer.open()
        except RunnerError as error:
            self._trouble = error
        self._opening = False
        self._session.changes.notify()
