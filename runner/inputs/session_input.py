"""What a run feeds its session from: one interface for the chat, lines, piped audio, recordings and the microphone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING, Literal

import anyio

if TYPE_CHECKING:
    from runner.inputs.answer_stop import AnswerStop, PlayingAnswers
    from runner.inputs.input_switch import InputSwitch
    from runner.protocol.json_fields import JsonObject
    from runner.session.session import Session

Flushed = Callable[[], Awaitable[None]]
"""Waits until the outputs have shown everything that was received so far."""

InputEnd = Literal["user-left", "input-end"]
"""Why an input has ended, as the log says it."""


class SessionInput(ABC):
    """The input of one run; `open`, `feed` and `close` are called in this order, `close` in any case."""

    answer_stop: AnswerStop | None = None
    """Stops an answer at the user's command; an input whose user has a key for it makes one in `feed`."""

    switch: InputSwitch | None = None
    """Stops and starts the input at the command of whoever minds the session; None where its user alone does."""

    live_interval_s: float = inf
    """How often the live line of a terminal is worth drawing anew because of the input, in seconds."""

    def live_line(self, state: str) -> str:
        """What the live line of a terminal says; nothing where there is nothing to say.

        Args:
            state: What the session does, nothing where it waits for the input.
        """
        return state

    async def open(self, asked: JsonObject) -> None:  # noqa: B027  # not every input needs something on the machine
        """Check, before the session connects, that the input exists and can be read.

        Args:
            asked: The session object of the first `session.update`.

        Raises:
            InputError: The input does not exist or cannot be read.
            ProfileError: A library is not installed.
        """

    @abstractmethod
    async def feed(self, session: Session, flushed: Flushed, playback: PlayingAnswers | None) -> InputEnd:
        """Send all that comes in, until the input has ended and its answers are complete, or until the user leaves.

        Args:
            session: A configured session.
            flushed: Waits until the outputs have shown everything that was received so far.
            playback: The answers that are being played, None where none are.

        Raises:
            RunnerError: The input cannot be read any more, or the session ended first.
        """

    @property
    def can_interrupt(self) -> bool:
        """Whether Ctrl-C has an answer to stop."""
        return self.answer_stop is not None and self.answer_stop.is_possible

    async def interrupt(self) -> None:
        """Stop the answer that the user waits for or hears."""
        if self.answer_stop is not None:
            await self.answer_stop.stop()

    def close(self) -> None:  # noqa: B027  # not every input holds something
        """Release the file, or the share of standard input; nothing more is read."""


class EmptyInput(SessionInput):
    """No input: the session lives until something else ends it."""

    async def feed(self, session: Session, flushed: Flushed, playback: PlayingAnswers | None) -> InputEnd:
        """Wait for ever."""
        del session, flushed, playback
        while True:
            await anyio.sleep_forever()
