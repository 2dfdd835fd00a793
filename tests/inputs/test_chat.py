"""The chat at a terminal: the command at a real pseudo-terminal, and the chat itself at a pipe of keys."""

import os
import pty
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from runner.inputs.chat import Chat
from runner.inputs.chat_prompt import ChatPrompt
from tests.helpers.command_process import local
from tests.helpers.endpoint_scripts import asked, attentive, conversation, reached
from tests.helpers.forked_process import ForkedProcess
from tests.helpers.hearing_peers import PATIENCE_S, at_once, session_with
from tests.helpers.peer import Peer

CTRL_C, CTRL_D, UP = "\x03", "\x04", "\x1b[A"
PROMPT = "\x1b[?2004h"
"""What the prompt begins with: the terminal is asked to mark what is pasted."""
DRAWN = "\x1b[?25h"
"""What ends the drawing of the prompt: the terminal is asked to show its cursor."""


class Terminal:
    """Somebody who sits at a terminal with `rt-run` in it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.seen = ""
        self.descriptor, terminal = pty.openpty()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TERM": "xterm",
            "XDG_STATE_HOME": str(folder / "state"),
        }
        self.process = ForkedProcess(arguments, folder=folder, environment=environment, terminal=terminal)
        os.close(terminal)

    def types(self, keys: str) -> None:
        """Type."""
        os.write(self.descriptor, keys.encode())

    def sees(self, text: str, *, within_s: float = 15) -> str:
        """Wait until this shows on the screen; returns what showed up to it."""
        end_s = time.monotonic() + within_s
        while text not in self.seen:
            assert time.monotonic() < end_s, f"no {text!r} in {self.seen!r}"
            self._read(0.1)
        shown, _, self.seen = self.seen.partition(text)
        return shown + text

    def left(self, *, within_s: float = 15) -> int:
        """The exit code, once the program has ended."""
        end_s = time.monotonic() + within_s
        while time.monotonic() < end_s:
            self._read(0.05)
            code = self.process.poll()
            if code is not None:
                return code
        msg = f"it did not leave: {self.seen!r}"
        raise AssertionError(msg)

    def close(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        self.process.wait()
        os.close(self.descriptor)

    def _read(self, timeout_s: float) -> None:
        if select.select([self.descriptor], [], [], timeout_s)[0]:
            try:
                self.seen += os.read(self.descriptor, 65536).decode(errors="replace")
            except OSError:
                # Linux reports the end of the other side as an error.
                time.sleep(timeout_s)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A chat with the local endpoint, slow enough to be interrupted."""
    it = Terminal(tmp_path, "--profile", local(tmp_path, interval_ms=400), "-q")
    yield it
    it.close()


def test_a_chat_with_the_command_from_prompt_to_farewell(terminal: Terminal) -> None:
    """Ctrl-C stops an answer and not the chat, history gives the question again, Ctrl-D leaves."""
    terminal.sees(PROMPT)
    terminal.types("one two three four five six seven eight nine ten\r")
    terminal.sees("You said: one")
    terminal.types(CTRL_C)
    shown = terminal.sees(PROMPT)
    terminal.types(f"{UP}\r")
    terminal.sees("You said:")
    terminal.types(CTRL_C)
    terminal.sees(PROMPT)
    terminal.types(CTRL_C)
    terminal.sees("Ctrl-D leaves")
    terminal.sees(PROMPT)
    terminal.types(CTRL_D)

    assert terminal.left() == 0
    assert "ten" not in shown


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_at_the_prompt_gives_the_terminal_back(terminal: Terminal, number: signal.Signals, code: int) -> None:
    """The chat leaves in good order: the line discipline is as it was."""
    terminal.sees(PROMPT)
    terminal.sees(DRAWN)
    terminal.process.send_signal(number)

    assert terminal.left() == code
    assert "Traceback" not in terminal.seen
    assert "\x1b[?2004l" in terminal.seen


def assert_private(path: Path, text: str) -> None:
    """A file holds this text, and only its owner may read it."""
    assert text in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


@contextmanager
def typing() -> Iterator[PipeInput]:
    """What this gets is typed at the prompt of a chat in this process."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        yield keys


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that keeps what was typed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "rt-run" / "history"


@pytest.mark.anyio
async def test_each_line_is_a_question_and_the_history_is_for_its_owner_only(history: Path) -> None:
    """Empty lines are none; the prompt waits until the answer is complete and shown."""
    shown: list[list[tuple[str, str]]] = []

    async def flushed() -> None:
        shown.append(conversation(session))

    async with session_with(attentive) as (session, _):
        with typing() as keys:
            keys.send_text(f"Hello\r  \rWhat is 2+2?\r{CTRL_D}")
            assert await Chat().feed(session, flushed, None) == "user-left"

    first, second = ([("user", said), ("assistant", f"answer {n}")] for n, said in ((1, "Hello"), (2, "What is 2+2?")))
    assert shown == [first, first + second]
    assert_private(history, "+What is 2+2?")


@pytest.mark.anyio
@pytest.mark.usefixtures("history")
async def test_only_an_answer_can_be_interrupted() -> None:
    """At the prompt Ctrl-C says how to leave, and before the chat begins it ends the run."""
    begun = anyio.Event()

    async def slow(peer: Peer) -> None:
        await peer.greet()
        await asked(peer)
        await peer.answer("a long", end=False)
        begun.set()
        await peer.until("response.cancel")
        await peer.end("a long", status="cancelled")
        await peer.to_the_end()

    chat = Chat()
    async with session_with(slow) as (session, _), anyio.create_task_group() as tasks:
        possible = [chat.can_interrupt]
        with typing() as keys:
            tasks.start_soon(chat.feed, session, at_once, None)
            keys.send_text(f"{CTRL_C}Hello\r")
            await begun.wait()
            possible.append(chat.can_interrupt)
            await chat.interrupt()
            possible.append(chat.can_interrupt)
            keys.send_text(CTRL_D)

    assert possible == [False, True, False]


@pytest.mark.anyio
@pytest.mark.usefixtures("history")
async def test_a_session_that_ends_at_the_prompt_takes_the_prompt_away() -> None:
    """The thread that waits for keys gives the terminal back before the chat is over."""
    prompt = ChatPrompt()
    with typing(), anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(prompt.ask)
            await reached(lambda: prompt._is_running)
            tasks.cancel_scope.cancel()

    assert not prompt._is_running
    assert not prompt.is_shown
