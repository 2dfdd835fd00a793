"""The prompt of a chat, with a history that outlives the program."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from prompt_toolkit import Application, PromptSession

_PROMPT = "> "
_LEAVE_S = 1.0
"""How long the thread that prompts may take to give the terminal back, in seconds."""
_RETRY_S = 0.01


class ChatPrompt:
    """Asks the user for one line at a time, in a thread, since prompt-toolkit wants an event loop of its own."""

    def __init__(self) -> None:
        self.is_shown = False
        """Whether the user is being asked."""
        self._is_running = False
        self._prompt: PromptSession[str] | None = None

    async def ask(self) -> str | None:
        """The line that the user types, None where the user leaves by Ctrl-D."""
        self.is_shown = True
        try:
            return await anyio.to_thread.run_sync(self._ask, abandon_on_cancel=True)
        finally:
            # After a cancellation the thread still prompts; it must give the terminal back.
            with anyio.move_on_after(_LEAVE_S, shield=True):
                while self._is_running:
                    self._leave()
                    await anyio.sleep(_RETRY_S)
            self.is_shown = False

    def _ask(self) -> str | None:
        self._is_running = True
        try:
            self._prompt = self._prompt or _prompt_session()
            while True:
                try:
                    return self._prompt.prompt(_PROMPT, handle_sigint=False)
                except KeyboardInterrupt:
                    sys.stderr.write("(Ctrl-D leaves)\n")
        except EOFError:
            return None
        finally:
            self._is_running = False

    def _leave(self) -> None:
        application = self._prompt.app if self._prompt else None
        if application and application.is_running and application.loop:
            application.loop.call_soon_threadsafe(_exit, application)


def _exit(application: Application[str]) -> None:
    if application.is_running and not application.is_done:
        application.exit(exception=EOFError)


def _prompt_session() -> PromptSession[str]:
    os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")
    from prompt_toolkit import PromptSession

    from runner.inputs.chat_history import ChatHistory

    return PromptSession(history=ChatHistory())
