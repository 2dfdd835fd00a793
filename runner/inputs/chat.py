"""A conversation at a terminal: a prompt with history, streaming answers; Ctrl-C stops one, Ctrl-D leaves."""

import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from runner.errors import RunnerError
from runner.session.session import Session

if TYPE_CHECKING:
    from prompt_toolkit import Application, PromptSession

PROMPT = "> "
_LEAVE_S = 1.0


def at_terminal() -> bool:
    """Whether somebody sits before both standard input and standard output."""
    return sys.stdin.isatty() and sys.stdout.isatty()


class Chat:
    """The user's side of a session at a terminal.

    Args:
        session: The session to talk in.
        flushed: Waits until everything said so far stands on the screen.
    """

    def __init__(self, session: Session, flushed: Callable[[], Awaitable[None]]) -> None:
        self._session = session
        self._flushed = flushed
        self._prompting = False
        self._interrupted = False
        self._asking = False
        self._prompt: PromptSession[str] | None = None

    async def run(self) -> None:
        """Prompt, say, wait for the answer, and again; returns when the user leaves."""
        while (line := await self._line()) is not None:
            if text := line.strip():
                self._interrupted = False
                await self._session.say(text)
                await self._session.wait_answered()
                await self._flushed()

    @property
    def can_interrupt(self) -> bool:
        """Whether an answer is in flight that nobody has cancelled yet."""
        return self._session.state.busy and not self._prompting and not self._interrupted

    async def interrupt(self) -> None:
        """Ctrl-C: cancel the answer in flight."""
        self._interrupted = True
        with suppress(RunnerError):
            # The endpoint cancels only what it has begun.
            while self._session.state.requested_by:
                await self._session.changes.next()
            await self._session.cancel()

    async def _line(self) -> str | None:
        self._prompting = True
        try:
            return await anyio.to_thread.run_sync(self._ask, abandon_on_cancel=True)
        finally:
            # The thread still prompts where the session ended meanwhile; it must give the terminal back.
            with anyio.move_on_after(_LEAVE_S, shield=True):
                while self._asking:
                    self._leave_prompt()
                    await anyio.sleep(0.01)
            self._prompting = False

    def _ask(self) -> str | None:
        self._asking = True
        try:
            self._prompt = self._prompt or _prompt_session()
            while True:
                try:
                    return self._prompt.prompt(PROMPT, handle_sigint=False)
                except KeyboardInterrupt:
                    sys.stderr.write("(Ctrl-D leaves)\n")
        except EOFError:
            return None
        finally:
            self._asking = False

    def _leave_prompt(self) -> None:
        application = self._prompt.app if self._prompt else None
        if application and application.is_running and application.loop:
            application.loop.call_soon_threadsafe(_exit, application)


def _exit(application: "Application[str]") -> None:
    if application.is_running and not application.is_done:
        application.exit(exception=EOFError)


def _prompt_session() -> "PromptSession[str]":
    os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory

    history: History
    try:
        path = _history_path()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        history = FileHistory(str(path))
    except OSError:
        history = InMemoryHistory()
    return PromptSession(history=history)


def _history_path() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "rt-run" / "history"
