"""A conversation at a terminal that can only print one line after another, such as that of an editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner import logs
from runner.inputs.answer_stop import AnswerStop
from runner.inputs.approval_prompt import ApprovalPrompt
from runner.inputs.session_input import SessionInput

if TYPE_CHECKING:
    from runner.inputs.answer_stop import PlayingAnswers
    from runner.inputs.broadcast import InputListener
    from runner.inputs.session_input import Flushed, InputEnd
    from runner.session.session import Session

_PROMPT = "> "


class PlainChat(SessionInput):
    """The user's side of a session at such a terminal, whose driver edits lines.

    Args:
        lines: What is typed, which is read at all times.
    """

    def __init__(self, lines: InputListener) -> None:
        self._lines = lines

    async def feed(self, session: Session, flushed: Flushed, playback: PlayingAnswers | None) -> InputEnd:
        """Take a line, say it, wait for the answer, and again, until the user leaves."""
        self.answer_stop = AnswerStop(session, playback)
        typed = ApprovalPrompt(lambda text: logs.tell(f"{text}\n"), self._read)
        if session.tools:
            session.tools.approvals.ask_by(typed.ask)
        logs.tell(f"Ctrl-C stops an answer, Ctrl-D leaves\n{_PROMPT}")
        while (line := await typed.next_line()) is not None:
            if text := line.strip():
                self.answer_stop.renew()
                await session.say(text)
                await session.wait_answered()
                await flushed()
            logs.tell(_PROMPT)
        logs.tell("\n")
        return "user-left"

    async def _read(self) -> str | None:
        async for _, line in self._lines:
            return line.decode(errors="replace")
        return None

    def close(self) -> None:
        """Read no more lines."""
        self._lines.close()
