"""A conversation at a terminal: a prompt, streaming answers; Ctrl-C stops an answer, Ctrl-D leaves."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from runner.inputs.answer_stop import AnswerStop
from runner.inputs.chat_prompt import ChatPrompt
from runner.inputs.session_input import SessionInput

if TYPE_CHECKING:
    from runner.inputs.answer_stop import PlayingAnswers
    from runner.inputs.session_input import Flushed, InputEnd
    from runner.session.session import Session


def at_terminal() -> bool:
    """Whether both standard input and standard output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


class Chat(SessionInput):
    """The user's side of a session at a terminal."""

    def __init__(self) -> None:
        self._prompt = ChatPrompt()

    async def feed(self, session: Session, flushed: Flushed, playback: PlayingAnswers | None) -> InputEnd:
        """Ask the user for a line, say it, wait for the answer, and again, until the user leaves."""
        self.answer_stop = AnswerStop(session, playback)
        while (line := await self._prompt.ask()) is not None:
            if text := line.strip():
                self.answer_stop.renew()
                await session.say(text)
                await session.wait_answered()
                await flushed()
        return "user-left"

    @property
    def can_interrupt(self) -> bool:
        """Whether Ctrl-C has an answer to stop; at the prompt it has none."""
        return super().can_interrupt and not self._prompt.is_shown
