"""What a run is fed from: somebody at a terminal, the lines of standard input, or nothing."""

from collections.abc import Awaitable, Callable

from runner.session.broadcast import Broadcast, Listener
from runner.session.chat import Chat, at_terminal
from runner.session.engine import Session
from runner.session.inputs import feed
from runner.settings.input import Input, StdinInput


class Source:
    """The input of one run.

    Args:
        settings: The profile's input.
        stdin: The lines of standard input; from here on they are held for this run.
        may_chat: Whether the terminal, where there is one, is this run's alone.
    """

    def __init__(self, settings: Input, stdin: Broadcast, *, may_chat: bool) -> None:
        self._settings = settings if isinstance(settings, StdinInput) else None
        self._chats = may_chat and isinstance(settings, StdinInput) and settings.format == "text" and at_terminal()
        self._chat: Chat | None = None
        self._lines: Listener | None = None
        if isinstance(settings, StdinInput) and not self._chats:
            self._lines = stdin.listen(max_line_bytes=settings.max_line_bytes)

    async def feed(self, session: Session, flushed: Callable[[], Awaitable[None]], playback: object = None) -> str:
        """Send all that comes in, and wait for the answers.

        Args:
            session: Where to send it.
            flushed: Waits until everything said so far stands on the screen.
            playback: What has the answers heard.

        Returns:
            Why no more comes: `user-left` or `input-end`; nothing where nothing was to come.

        Raises:
            RunnerError: the input cannot be read, or the session ended first.
        """
        if self._chats:
            self._chat = Chat(session, flushed)
            await self._chat.run()
            return "user-left"
        if self._settings is None or self._lines is None:
            return ""
        await feed(session, self._settings, self._lines)
        await session.finished()
        return "input-end"

    @property
    def can_interrupt(self) -> bool:
        """Whether Ctrl-C has an answer to cancel."""
        return self._chat is not None and self._chat.can_interrupt

    async def interrupt(self) -> None:
        """Cancel the answer that somebody waits for at the terminal."""
        if self._chat is not None:
            await self._chat.interrupt()

    def close(self) -> None:
        """Take nothing more; lines are no longer held for this run."""
        if self._lines is not None:
            self._lines.close()
