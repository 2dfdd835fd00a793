"""One user message and its answer: a question, a document on standard input, or a question about a document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import InputError
from runner.inputs.line_input import line_text
from runner.inputs.session_input import SessionInput

if TYPE_CHECKING:
    from runner.inputs.answer_stop import PlayingAnswers
    from runner.inputs.broadcast import InputListener
    from runner.inputs.session_input import Flushed, InputEnd
    from runner.session.session import Session


class MessageInput(SessionInput):
    """Sends one message.

    Args:
        question: What is asked; of a document, after it.
        lines: The lines of the document, None where there is none.
        max_bytes: The longest document taken.
    """

    def __init__(self, question: str, lines: InputListener | None = None, *, max_bytes: int = 0) -> None:
        self._question = question
        self._lines = lines
        self._max_bytes = max_bytes

    async def feed(self, session: Session, flushed: Flushed, playback: PlayingAnswers | None) -> InputEnd:
        """Send the message, and wait for the answer.

        Raises:
            InputError: The document cannot be read, is too long, is not UTF-8, or there is nothing in it.
            RunnerError: The session ended first.
        """
        del flushed, playback
        document = await self._document(self._lines) if self._lines else ""
        await session.say("\n\n".join(filter(None, [document, self._question])))
        await session.wait_idle()
        return "input-end"

    def close(self) -> None:
        """Read no more lines."""
        if self._lines:
            self._lines.close()

    async def _document(self, lines: InputListener) -> str:
        texts: list[str] = []
        size_bytes = 0
        async for number, line in lines:
            size_bytes += len(line) + 1
            if size_bytes > self._max_bytes + 1:
                msg = f"stdin: longer than {self._max_bytes} bytes"
                raise InputError(msg, hint="raise `input.max_line_bytes`")
            texts.append(line_text(number, line).removesuffix("\r"))
        document = "\n".join(texts).rstrip()
        if not document.strip():
            msg = "standard input holds no document: there is no text in it"
            raise InputError(msg)
        return document
