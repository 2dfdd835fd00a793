"""The one owner of a terminal: a thread that draws all of it and reads its keys, whatever the session waits for."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Literal, Self, TextIO

import anyio
import anyio.to_thread

from runner import logs
from runner.standard_streams import STDOUT, turns
from runner.terminal.keyboard import Keyboard, typed_before

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from prompt_toolkit.history import History

    from runner.terminal.canvas import Canvas
    from runner.terminal.markdown_text import MarkdownText

_BEGIN_S = 10.0
"""How long the terminal's thread may take to import what draws, in seconds."""
_END_S = 1.0
"""How long the terminal may take to show what is left and to be given back, in seconds."""


class Screen:
    """A terminal while a run has it, as a context manager.

    Text and lines of the log that go to the terminal are drawn by it from the beginning to the end, in its thread; who
    writes them waits, as for any file. No other method waits.

    Args:
        descriptor: The terminal that is drawn on: standard output or standard error.
        reads: Whether lines or single keys are read from standard input, or nothing.
        history: Makes what was typed before, where lines are read.
        markdown: Renders answers, None where they are shown as they come.
    """

    def __init__(
        self,
        descriptor: int,
        reads: Literal["lines", "keys", ""],
        history: Callable[[], History] | None = None,
        markdown: MarkdownText | None = None,
    ) -> None:
        self.descriptor = descriptor
        self.keyboard = Keyboard()
        self._reads = reads
        self._history = history
        self._markdown = markdown
        self._live: str | Callable[[], str] = ""
        self._lock = threading.Lock()
        self._drawings: deque[tuple[Callable[[Canvas], None], Future[bool]]] = deque()
        """What is to be drawn, in order."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_begun = self._is_over = False
        self._is_ready = threading.Event()
        """Set once the thread begins to draw, or has ended."""
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
        self._modes: list[Any] | None = None
        self._turns = turns(descriptor)

    @property
    def is_shown(self) -> bool:
        """Whether the terminal is this screen's: it has begun and has not ended."""
        return self._has_begun and not self._is_over

    @property
    def reads_keyboard(self) -> bool:
        """Whether lines or keys are read."""
        return bool(self._reads)

    @property
    def stream(self) -> TextIO:
        """The stream of the terminal that is drawn on."""
        return sys.stdout if self.descriptor == STDOUT else sys.stderr

    async def __aenter__(self) -> Self:
        self._modes = termios.tcgetattr(sys.stdin) if self._reads else None
        self._turns.lead(self)
        self._has_begun = True
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._end, limiter=anyio.CapacityLimiter(1))

    def show_live(self, text: str | Callable[[], str]) -> None:
        """Show a live line until the next one: a text, or what gives it whenever it is drawn; nothing hides it."""
        self._live = text
        self._draw(lambda canvas: canvas.application.invalidate())

    def say(self, text: str) -> None:
        """Write lines in the voice of rt-run itself."""
        if text:
            self._draw(lambda canvas: canvas.add_notice(text))

    async def next_line(self) -> str | None:
        """The next line that was typed, which stands above its answer from now on; None where the user leaves."""
        line = await self.keyboard.next()
        if line is not None:
            # Bytes that are no UTF-8 have become halves of characters.
            line = line.encode(errors="replace").decode()
            self._draw(lambda canvas: canvas.add_said(line))
        return line

    def forget_entry(self) -> None:
        """Forget what is being typed; where it is nothing, say how to leave."""
        self._draw(lambda canvas: canvas.forget_entry())

    def end_answer(self) -> None:
        """Show the rest of an answer that is rendered as Markdown."""
        self._draw(lambda canvas: canvas.end_answer())

    def put_text(self, text: str) -> bool:
        """Go on with the text of an answer, and wait until it is drawn; returns whether it was."""
        return self._draw(lambda canvas: canvas.add_text(text)).result()

    def put_lines(self, text: str) -> bool:
        """Write whole lines, and wait until they are drawn; returns whether they were."""
        return self._draw(lambda canvas: canvas.add_lines(text)).result()

    def _draw(self, draw: Callable[[Canvas], None]) -> Future[bool]:
        """Have the terminal's thread draw something; the future says whether it has."""
        drawn: Future[bool] = Future()
        with self._lock:
            if self._is_over:
                drawn.set_result(False)
            else:
                self._drawings.append((draw, drawn))
                if self._loop is not None:
                    self._loop.call_soon_threadsafe(self._wake.set)
        return drawn

    def _run(self) -> None:
        """The terminal's thread."""
        try:
            asyncio.run(self._show())
        except (EOFError, OSError):
            # The terminal has gone.
            self.keyboard.leave()
        except Exception:  # noqa: BLE001  # whatever it is, the session goes on, and its text goes to the terminal as it is
            logs.logger().exception("internal_error")
            self.keyboard.leave()
        finally:
            self._leave()

    def _leave(self) -> None:
        """Draw nothing more: what is written goes to the terminal as it is."""
        with self._lock:
            self._is_over, self._loop = True, None
        self._is_ready.set()
        while self._drawings:
            self._drawings.popleft()[1].set_result(False)

    async def _show(self) -> None:
        from prompt_toolkit.input import create_input, create_pipe_input
        from prompt_toolkit.output import create_output

        from runner.terminal.canvas import Canvas
        from runner.terminal.entry import Entry

        loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            if self._reads:
                # What a terminal sends is UTF-8, whatever the locale says.
                keys = create_input(stack.enter_context(os.fdopen(os.dup(sys.stdin.fileno()), encoding="utf-8")))
            else:
                keys = stack.enter_context(create_pipe_input())
            # A file of its own: where writing hangs, nobody else shall wait for the lock of the standard stream.
            file = stack.enter_context(os.fdopen(os.dup(self.stream.fileno()), "w", encoding="utf-8"))
            output = create_output(file)
            history = self._history() if self._reads == "lines" and self._history else None
            entry = Entry(self.keyboard, history)
            canvas = Canvas(keys, output, entry, self._live_line, self._markdown)
            loop.set_exception_handler(lambda _, what: canvas.fail(what.get("exception")))
            if self._reads:
                typed, is_over = typed_before(sys.stdin.fileno())
                # The end of input is lost where it comes between this and the next line, which nobody can help.
                stack.enter_context(keys.raw_mode())
                entry.type_in(typed, is_over=is_over)
            # Before the loop is closed, which others may be about to wake.
            stack.callback(self._leave)
            self._is_ready.set()
            await canvas.run(self._take)

    def _live_line(self) -> str:
        return self._live() if callable(self._live) else self._live

    async def _take(self, canvas: Canvas) -> None:
        """Draw what is to be drawn, until cancelled."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._wake.clear()
                while self._drawings:
                    draw, drawn = self._drawings[0]
                    draw(canvas)
                    self._drawings.popleft()
                    drawn.set_result(True)
                await self._wake.wait()
        except Exception as error:  # noqa: BLE001  # it ends the drawing, and `_run` says what it was
            canvas.fail(error)

    def _end(self) -> None:
        """Give the terminal back, in bounds."""
        self._draw(lambda canvas: canvas.stop())
        # A run may end before the thread has imported what draws, on a busy machine long before.
        self._is_ready.wait(_BEGIN_S)
        self._thread.join(_END_S)
        self._turns.lead(None)
        if not self._thread.is_alive():
            self.keyboard.close()
        elif self._modes is not None:
            # It hangs in writing to a terminal that takes nothing.
            with suppress(termios.error):
                termios.tcsetattr(sys.stdin, termios.TCSANOW, self._modes)
