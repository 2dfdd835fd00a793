"""A conversation at a terminal: lines that are typed at any time, streaming answers; Ctrl-C stops an answer."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import anyio

from runner.inputs.answer_stop import AnswerStop
from runner.inputs.approval_prompt import ApprovalPrompt
from runner.inputs.chat_commands import ChatCommands
from runner.inputs.session_input import SessionInput
from runner.task_groups import body_task_group

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from runner.inputs.answer_stop import PlayingAnswers
    from runner.inputs.session_input import Flushed, InputEnd
    from runner.session.session import Session
    from runner.terminal.screen import Screen

_STOPPING_S = 1.0
"""How long an answer that the user stops may take to end before Ctrl-C ends the run, in seconds."""


class Chat(SessionInput):
    """The user's side of a session at a terminal.

    Args:
        screen: The terminal.
        save_as: The name of the file that the conversation is saved in where the user gives none.
    """

    def __init__(self, screen: Screen, *, save_as: str = "chat.md") -> None:
        self._screen = screen
        self._save_as = save_as

    async def feed(self, session: Session, flushed: Flushed, playback: PlayingAnswers | None) -> InputEnd:
        """After a greeting take a line, say it, wait for the answer, and again, until the user leaves."""
        self.answer_stop = answer_stop = AnswerStop(session, playback)
        typed = ApprovalPrompt(self._screen.say, self._screen.next_line)
        if session.tools:
            session.tools.approvals.ask_by(typed.ask)
        async with body_task_group() as tasks:
            tasks.start_soon(self._heed_interrupts, session, answer_stop, tasks)
            if session.state.busy:
                await self._answered(session, flushed)
            commands = ChatCommands(session, self._save_as)
            while not commands.is_over and (line := await typed.next_line()) is not None:
                if (told := await commands.carry_out(line)) is not None:
                    self._screen.say(told)
                elif text := line.strip():
                    answer_stop.renew()
                    await session.say(text)
                    await self._answered(session, flushed)
                    if answer_stop.was_used:
                        self._screen.say("(stopped)")
        return "user-left"

    async def _answered(self, session: Session, flushed: Flushed) -> None:
        """Wait until the answer is complete and shown."""
        await session.wait_answered()
        await flushed()
        self._screen.end_answer()

    async def _heed_interrupts(self, session: Session, answer_stop: AnswerStop, tasks: TaskGroup) -> None:
        """Stop the answer at each Ctrl-C; where there is none, forget what is being typed."""
        keyboard, stopped_s = self._screen.keyboard, 0.0
        keyboard.heeds_interrupts = True
        try:
            while True:
                await keyboard.interrupts.next()
                if answer_stop.is_possible:
                    stopped_s = anyio.current_time()
                    tasks.start_soon(answer_stop.stop)
                elif not session.state.busy:
                    self._screen.forget_entry()
                elif anyio.current_time() > stopped_s + _STOPPING_S:
                    os.kill(os.getpid(), signal.SIGINT)
        finally:
            keyboard.heeds_interrupts = False
