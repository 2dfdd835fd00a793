"""Stopping an answer at the user's command: Ctrl-C in a chat, or the key that begins a turn."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from runner.errors import RunnerError

if TYPE_CHECKING:
    from runner.session.session import Session


class PlayingAnswers(Protocol):
    """What an input knows of the answers that are being played."""

    @property
    def is_playing(self) -> bool:
        """Whether an answer is being heard now."""

    def interrupt(self) -> None:
        """Stop at once what is being heard, and cancel the response in flight."""


class AnswerStop:
    """Stops each answer at most once.

    Args:
        session: The session that answers.
        playback: The answers that are being played, None where none are.
    """

    def __init__(self, session: Session, playback: PlayingAnswers | None) -> None:
        self._session = session
        self._playback = playback
        self._is_spent = False

    @property
    def is_possible(self) -> bool:
        """Whether a response is asked for or in flight that was not stopped yet."""
        return self._session.state.busy and not self._is_spent

    @property
    def was_used(self) -> bool:
        """Whether the latest answer was stopped."""
        return self._is_spent

    def renew(self) -> None:
        """The user asks anew; the answer to it can be stopped again."""
        self._is_spent = False

    async def stop(self) -> None:
        """Silence the answer that is being heard, cancel the response once it has begun, and withdraw what it calls."""
        self._is_spent = True
        if self._playback is not None:
            self._playback.interrupt()
        with suppress(RunnerError):
            # The endpoint cancels only what it has begun.
            while self._session.state.requested_by:
                await self._session.changes.next()
            if self._playback is None:
                await self._session.cancel()
            else:
                self._session.state.drop_retries()
                if self._session.tools:
                    self._session.tools.interrupt()
                self._playback.interrupt()
