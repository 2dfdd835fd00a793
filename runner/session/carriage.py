"""One session as its keeper sees it: carried by one connection after another, or by none for a while."""

from __future__ import annotations

import math
from time import time
from typing import TYPE_CHECKING

from runner.connect.changes import Changes
from runner.errors import IllegalEvent, RunnerError
from runner.protocol.effects import SessionEnded
from runner.protocol.state import SessionState
from runner.session.link import Link, NotSent
from runner.session.recorder import closed_note
from runner.session.update import Update
from runner.session.waiting_audio import WaitingAudio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.protocol.usage import Usage
    from runner.session.pump import Reader


class CarriedSession:
    """What is known of a session whatever connection carries it, and what waits for the next one.

    Args:
        readers: Called with each update; they must not wait.
        max_audio_age_s: How long audio may wait for a connection, in seconds.

    Attributes:
        id: The endpoint's name of the session's first connection, which is the session's in all logs.
        failure: What ended the session before we did.
        link: The connection that carries the session now, None between two.
        changes: Told of everything but pieces of answers.
    """

    def __init__(self, *, readers: Sequence[Reader], max_audio_age_s: float) -> None:
        self.id = ""
        self.failure: RunnerError | None = None
        self.link: Link | None = None
        self.is_closing = False
        """Whether we are ending the session."""
        self.is_holding = False
        """Whether no new turn may begin, since the connection is about to be replaced."""
        self.changes = Changes()
        self.state = SessionState()
        """What is known of the session, on its latest connection."""
        self.readers = readers
        self._max_audio_age_s = max_audio_age_s
        self._waiting_audio: WaitingAudio | None = None
        """What was said since the last connection, None once the present one has been told."""
        self._first_unanswered: RunnerError | None = None
        self._is_over = False
        self._epoch = 0

    @property
    def usage(self) -> Usage:
        """What the session has used, over all its connections."""
        return self.state.usage

    @property
    def epoch(self) -> int:
        """The number of the connection that carries the session, or carried it last; 0 before the first."""
        return self._epoch

    @property
    def first_unanswered(self) -> RunnerError | None:
        """Why the first request that got no answer got none."""
        return self._first_unanswered or (self.link.pump.first_unanswered if self.link else None)

    @property
    def is_over(self) -> bool:
        """Whether the session has ended, by the endpoint's doing or by ours."""
        return self._is_over

    @property
    def _is_undecided(self) -> bool:
        """Whether the connection is lost and nobody has said yet what becomes of the session."""
        lost = self.link is not None and self.link.pump.is_over
        return lost and not self.state.translation.is_concluded

    def attach(self, link: Link) -> None:
        """Be carried by this connection from now on; what has to be asked again is owed on it."""
        link.state.inherit_retries(self.state)
        self.state = link.state
        self.id = self.id or link.state.session_id
        self.link = link
        self._epoch = link.epoch
        link.read_by(self.readers)
        self.changes.notify()

    def detach(self) -> None:
        """Be carried by no connection for now."""
        if self.link is not None:
            self._first_unanswered = self.first_unanswered
            self.link.mute()
            self.link = None
            self._waiting_audio = self._waiting_audio or WaitingAudio(self._max_audio_age_s)
            self.changes.notify()

    async def conclude(self, by_s: float = math.inf) -> None:
        """Have a translation say its last words, before it is closed; in any other session nothing happens.

        Args:
            by_s: When to do without them, on the event loop's clock, in seconds.
        """
        link = self.link
        if link is None or self._is_over or self.state.kind != "translation":
            return
        self.is_closing = True
        await link.conclude(by_s)
        if (lost := link.pump.failure) and not link.state.translation.is_concluded:
            link.note(closed_note(lost))
            self.end(lost)

    @property
    def _has_unsent_audio(self) -> bool:
        return self._waiting_audio is not None and bool(self._waiting_audio.first())

    def give_up(self, error: RunnerError) -> None:
        """Take note that what was asked for will not be answered."""
        self._first_unanswered = self._first_unanswered or error

    def end(self, failure: RunnerError | None = None) -> None:
        """The session is over; what came first counts."""
        if self._is_over:
            return
        self._is_over = True
        self.failure = failure
        update = Update(None, [SessionEnded()], time(), 0)
        for reader in self.readers:
            reader(update)
        self.changes.notify()

    async def flush_audio(self) -> int:
        """Send what was said meanwhile and is still young enough; returns how many bytes were dropped for their age."""
        waiting = self._waiting_audio
        if waiting is None:
            return 0
        try:
            while self.link is not None and (audio := waiting.first()):
                await self.link.append_audio(audio)
                waiting.sent(audio)
        except NotSent:
            # The connection is lost again; what still waits, waits on.
            return 0
        if self.link is None:
            return 0
        self._waiting_audio = None
        self.changes.notify()
        return waiting.dropped_bytes

    def check(self) -> None:
        """Raise what ended the session, or `IllegalEvent` where we did; do nothing while it lives."""
        if self.failure:
            raise self.failure
        if self._is_over:
            msg = "the session is closed"
            raise IllegalEvent(msg)

    def _keep(self, audio: bytes | bytearray | memoryview) -> None:
        """Have audio wait for a connection."""
        self.check()
        self._waiting_audio = self._waiting_audio or WaitingAudio(self._max_audio_age_s)
        self._waiting_audio.put(audio)
