"""The one owner of a terminal, at a real pseudo-terminal."""

import os
import sys
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, redirect_stdout
from unittest.mock import patch

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from prompt_toolkit.history import InMemoryHistory

from runner.standard_streams import STDOUT, turns
from runner.terminal import canvas
from runner.terminal import screen as screen_module
from runner.terminal.markdown_text import MarkdownText
from runner.terminal.screen import Screen
from tests.helpers.pseudo_terminal import CTRL_D, ShownTerminal

pytestmark = pytest.mark.anyio


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[ShownTerminal]:
    """A terminal."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(canvas, "_PATIENCE_S", 3600.0)
    it = ShownTerminal(30)
    yield it
    os.close(it.side)
    it.close()


@asynccontextmanager
async def screen(terminal: ShownTerminal, markdown: MarkdownText | None = None) -> AsyncIterator[Screen]:
    """A screen with a prompt at a terminal that is standard input and standard output of this process."""
    stdin, stdout = os.fdopen(terminal.side, closefd=False), os.fdopen(terminal.side, "w", closefd=False)
    with patch.object(sys, "stdin", stdin), redirect_stdout(stdout):
        async with Screen(STDOUT, "lines", InMemoryHistory, markdown) as it:
            yield it


async def put(it: Screen, *pieces: str) -> list[bool]:
    """Stream pieces of an answer, as the thread of an output does."""
    return [await anyio.to_thread.run_sync(it.put_text, each) for each in pieces]


async def test_text_notices_lines_and_the_prompt_stand_on_rows_of_their_own(terminal: ShownTerminal) -> None:
    """A notice waits for the end of the row, a line of the log stands above it, and the live line goes in the end."""
    before = termios.tcgetattr(terminal.side)
    async with screen(terminal) as it:
        it.say("the banner")
        it.show_live("attempt 4 of 10: cannot reach the endpoint")
        terminal.sees("the banner\nattempt 4 of 10: cannot reach\nthe endpoint\n>")
        terminal.types("half a question")
        it.show_live(lambda: "answering")
        await put(it, "An answer that is longer ", "than a row")
        it.say("a notice")
        assert await anyio.to_thread.run_sync(it.put_lines, "\x1b[31ma line\x1b[0m of the log\n")
        terminal.sees("longer than\na line of the log\na row\nanswering\n> half a question")
        assert await put(it, ", 漢字 too\n", "next") == [True, True]
        terminal.sees("a row, 漢字 too\na notice\nnext\nanswering\n> half a question")
        assert not termios.tcgetattr(terminal.side)[3] & (termios.ICANON | termios.ECHO)

    terminal.sees_no_longer("half a question")
    assert terminal.shown.endswith("a notice\nnext")
    assert termios.tcgetattr(terminal.side) == before
    assert await put(it, "too late") == [False]


async def test_lines_wait_to_be_taken_and_stand_above_their_answers_then(terminal: ShownTerminal) -> None:
    """The user leaves once all is dealt with."""
    async with screen(terminal) as it:
        terminal.types(f"one\rtwo\r{CTRL_D}")
        terminal.sees("> one\n> two\n")
        assert await it.next_line() == "one"
        await put(it, "first\n")
        assert await it.next_line() == "two"
        await put(it, "second\n")
        assert await it.next_line() is None

    terminal.sees("> one\nfirst\n> two\nsecond")


async def test_a_terminal_that_becomes_narrower_keeps_what_is_written(terminal: ShownTerminal) -> None:
    """The terminal has cut or broken the row that is being written: it stays, and the text goes on below."""
    async with screen(terminal) as it:
        await put(it, "a row of 24 letters here")
        terminal.sees("here")
        terminal.resizes(12)
        await put(it, " and now the rest of it\n")
        terminal.sees("and now the\nrest of it")


async def test_a_terminal_that_goes_away_is_left(terminal: ShownTerminal) -> None:
    """The user has left with it, and what is written goes to where it cannot be written."""
    async with screen(terminal) as it:
        await put(it, "half")
        terminal.hangs_up()
        assert await it.next_line() is None

    assert await put(it, "too late") == [False]


async def test_a_terminal_that_takes_nothing_holds_up_no_end(
    terminal: ShownTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its modes are put back all the same."""
    monkeypatch.setattr(screen_module, "_END_S", 0.1)
    before = termios.tcgetattr(terminal.side)
    async with anyio.create_task_group() as tasks:
        async with screen(terminal) as it:
            await put(it, "begun\n")
            tasks.start_soon(put, it, "x\n" * 40_000)
            await anyio.wait_all_tasks_blocked()

        assert termios.tcgetattr(terminal.side) == before
        assert turns(STDOUT)._leader is None
        while not it._is_over:
            terminal.reads_on()
            await anyio.lowlevel.checkpoint()


async def test_markdown_is_rendered_once_a_block_is_complete(terminal: ShownTerminal) -> None:
    """Until then it shows as it comes; the end of the answer ends its last block."""
    async with screen(terminal, MarkdownText()) as it:
        await put(it, "A **bold** be", "ginning\n\nand **more")
        terminal.sees("A bold beginning\nand **more\n>")
        it.say("a notice")
        await put(it, "**\n")
        it.end_answer()
        terminal.sees("A bold beginning\n\nand more\na notice\n>")
