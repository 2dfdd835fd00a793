"""Push-to-talk: the space bar starts a turn and ends it, and only the audio between is sent."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from runner.errors import InputError, RunnerError, reason_of
from runner.inputs.sender import SHORTEST_TURN_MS
from runner.inputs.stdin import STDIN

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from runner.inputs.answer_stop import AnswerStop
    from runner.inputs.sender import Sender
    from runner.inputs.session_input import Flushed

_SPACE = b" "
_LEAVE = (b"q", b"Q", b"\x04")
"""`q` and Ctrl-D."""
_MOST_KEYS = 64
_IDLE = "space: speak   q: leave"
_TALKING = "● speaking   space: done"
_TOO_SHORT = f"nothing is below {SHORTEST_TURN_MS} ms   {_IDLE}"
_CLEAR_LINE = "\r\x1b[K"


def check_terminal(*, is_alone: bool) -> None:
    """Check that there is a terminal whose keys belong to this session.

    Args:
        is_alone: Whether no other session reads its keys.

    Raises:
        InputError: there is no terminal, or several sessions would share it.
    """
    if not is_alone:
        raise InputError("push-to-talk needs the terminal for itself, and there are several sessions")
    if not sys.stdin.isatty():
        msg = "push-to-talk needs a terminal, and standard input is none"
        raise InputError(msg, hint="leave `input.push_to_talk` out, and let turn detection find the turns")


class PushToTalk:
    """Turns that the user begins and ends by a key.

    Args:
        sender: Sends audio to the session.
        answer_stop: Stops the answer before, when a turn begins.
        flushed: Waits until the outputs have shown everything that was received so far.
        terminal: The file descriptor whose keys are read.
    """

    def __init__(self, sender: Sender, answer_stop: AnswerStop, flushed: Flushed, *, terminal: int = STDIN) -> None:
        self._flushed = flushed
        self._sender = sender
        self._session = sender.session
        self._answer_stop = answer_stop
        self._terminal = terminal
        self._status = _StatusLine()
        self._keys: deque[bytes] = deque(maxlen=_MOST_KEYS)
        self._is_talking = False
        self._problem: RunnerError | None = None

    async def run(self, pieces: AsyncIterator[bytes]) -> None:
        """Take turns until the user leaves or the audio ends.

        Args:
            pieces: 16-bit samples; what comes between turns is dropped.

        Raises:
            RunnerError: the session has ended, or the terminal cannot be read.
        """
        with _single_keys(self._terminal):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch_keys)
                await self._take_turns(pieces, tasks)
                tasks.cancel_scope.cancel()
        if self._problem:
            raise self._problem

    async def _take_turns(self, pieces: AsyncIterator[bytes], tasks: TaskGroup) -> None:
        """Handle keys between two pieces of audio, so that a turn holds exactly the pieces between its keys."""
        try:
            self._status.show(_IDLE)
            async for piece in pieces:
                while self._keys:
                    key = self._keys.popleft()
                    if key in _LEAVE:
                        return
                    if key == _SPACE:
                        await (self._end_turn(tasks) if self._is_talking else self._begin_turn(tasks))
                if self._problem:
                    return
                if self._is_talking:
                    await self._sender.send_samples(piece)
        except RunnerError as error:
            self._problem = self._problem or error
        finally:
            self._status.clear()

    async def _begin_turn(self, tasks: TaskGroup) -> None:
        is_answering = self._session.state.busy
        tasks.start_soon(self._answer_stop.stop)
        await self._session.send({"type": "input_audio_buffer.clear"})
        self._sender.begin_turn()
        self._is_talking = True
        self._status.show(_TALKING, below=is_answering)

    async def _end_turn(self, tasks: TaskGroup) -> None:
        self._is_talking = False
        if self._sender.turn_ms < SHORTEST_TURN_MS:
            await self._session.send({"type": "input_audio_buffer.clear"})
            self._status.show(_TOO_SHORT)
            return
        self._status.clear()
        await self._sender.commit("what was said")
        # The answer may have to wait for the end of the one before; the keys must not.
        tasks.start_soon(self._ask)

    async def _ask(self) -> None:
        self._answer_stop.renew()
        try:
            await self._sender.ask()
            await self._session.wait_answered()
            await self._flushed()
            if not self._is_talking:
                self._status.show(_IDLE)
        except RunnerError as error:
            self._problem = self._problem or error

    async def _watch_keys(self) -> None:
        while True:
            try:
                await anyio.wait_readable(self._terminal)
                typed = os.read(self._terminal, _MOST_KEYS)
            except OSError as error:
                self._problem = InputError(f"the terminal cannot be read: {reason_of(error)}")
                return
            # An end of input means that the user is gone.
            self._keys.extend(typed[at : at + 1] for at in range(len(typed)))
            if not typed:
                self._keys.append(_LEAVE[0])
                return


@contextmanager
def _single_keys(terminal: int) -> Iterator[None]:
    """Have the terminal give each key at once and show none; Ctrl-C stays a signal."""
    import termios
    import tty

    try:
        before = termios.tcgetattr(terminal)
    except termios.error as error:
        raise InputError(f"the terminal cannot be read: {error.args[-1]}") from None
    try:
        tty.setcbreak(terminal, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


class _StatusLine:
    """One line on the terminal that says what each key does; hidden while an answer is written there."""

    def __init__(self) -> None:
        self._is_shown = False

    def show(self, text: str, *, below: bool = False) -> None:
        """Show this in place of what was shown before; `below` leaves the line that is being written as it is."""
        begin = _CLEAR_LINE if self._is_shown else "\n" if below else ""
        self._write(begin + text)
        self._is_shown = True

    def clear(self) -> None:
        """Hide the line."""
        if self._is_shown:
            self._write(_CLEAR_LINE)
            self._is_shown = False

    def _write(self, text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(text)
            sys.stderr.flush()
