"""Push-to-talk, through a real pseudo-terminal, by somebody whose every piece of speech a test decides."""

import os
import pty
import sys
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, redirect_stderr, suppress
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio.streams.memory import MemoryObjectSendStream

from runner.errors import InputError
from runner.inputs.answer_stop import AnswerStop
from runner.inputs.push_to_talk import PushToTalk, check_terminal
from runner.inputs.sender import Sender
from tests.helpers.hearing_peers import (
    BY_HAND,
    RATE,
    PlayedAnswers,
    at_once,
    confirming,
    others,
    pieces,
    session_with,
    tone,
)
from tests.helpers.peer import Peer

pytestmark = pytest.mark.anyio

IDLE, TALKING = "space: speak", "space: done"
CTRL_D = "\x04"
TURN = ["input_audio_buffer.clear", "input_audio_buffer.commit", "response.create"]
SPEECH, SILENCE, NOISE = tone(0.02), bytes(960), b"\x11" * 960
"""What is said in a turn, what surrounds it while keys are pressed, and what nobody is to hear."""


class Terminal:
    """A terminal, and the user before it."""

    def __init__(self) -> None:
        self.seen = ""
        self.descriptor, self.side = pty.openpty()
        self.before = termios.tcgetattr(self.side)
        os.set_blocking(self.descriptor, False)

    def types(self, keys: str) -> None:
        """Type."""
        os.write(self.descriptor, keys.encode())

    def shows(self, text: str) -> bool:
        """Whether this has shown on the screen since what was found there last."""
        with suppress(BlockingIOError):
            self.seen += os.read(self.descriptor, 65536).decode()
        _, found, rest = self.seen.partition(text)
        self.seen = rest if found else self.seen
        return bool(found)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal."""
    it = Terminal()
    yield it
    os.close(it.side)
    os.close(it.descriptor)


class User:
    """Somebody who speaks, presses keys and looks at the terminal."""

    def __init__(self, terminal: Terminal, speech: MemoryObjectSendStream[bytes], peer: Peer) -> None:
        self.answers = PlayedAnswers()
        self.peer = peer
        self.terminal = terminal
        self._speech = speech

    async def says(self, piece: bytes, times: int) -> None:
        """Say a piece of 20 ms again and again; each is dealt with before the next one, or whatever follows."""
        for _ in range(times):
            await self._speech.send(piece)
            while (receiver := self._speech.statistics()).open_receive_streams and not receiver.tasks_waiting_receive:
                await anyio.lowlevel.checkpoint()

    async def sees(self, text: str, piece: bytes = SILENCE) -> None:
        """Say a piece until this shows on the screen."""
        while not self.terminal.shows(text):
            await self.says(piece, 1)

    async def presses(self, keys: str, text: str) -> None:
        """Press keys, and wait until this shows on the screen."""
        self.terminal.types(keys)
        await self.sees(text)

    async def leaves(self, key: str = "q") -> None:
        """Leave; returns when nobody listens any more."""
        self.terminal.types(key)
        with pytest.raises(anyio.BrokenResourceError):
            await self.says(NOISE, 10_000)

    def said(self) -> list[bytes]:
        """What the endpoint has heard besides silence."""
        return [piece for piece in pieces(self.peer) if any(piece)]


@asynccontextmanager
async def talking(terminal: Terminal) -> AsyncIterator[User]:
    """Push-to-talk at a terminal that shows standard error; when it has ended, the terminal is as it was."""
    sending, receiving = anyio.create_memory_object_stream[bytes](0)
    async with session_with(confirming, audio=BY_HAND) as (session, peers):
        user = User(terminal, sending, peers[0])
        push_to_talk = PushToTalk(
            Sender(session, rate=RATE), AnswerStop(session, user.answers), at_once, terminal=terminal.side
        )

        async def talk() -> None:
            with receiving:
                await push_to_talk.run(receiving)

        with os.fdopen(os.dup(terminal.side), "w") as screen, redirect_stderr(screen):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(talk)
                with sending:
                    await user.sees(IDLE, NOISE)
                    yield user
                tasks.cancel_scope.cancel()
        await session.wait_idle()
    assert termios.tcgetattr(terminal.side) == terminal.before


async def test_the_audio_between_two_presses_is_a_turn_and_nothing_else_is_sent(terminal: Terminal) -> None:
    """A turn begins with an empty buffer, interrupts what is heard, and is answered."""
    async with talking(terminal) as user:
        for _ in range(2):
            await user.says(NOISE, 3)
            await user.presses(" ", TALKING)
            await user.says(SPEECH, 6)
            await user.presses(" ", IDLE)
        await user.leaves()

    assert others(user.peer) == TURN * 2
    assert user.said() == [SPEECH] * 12
    assert user.answers.interrupted >= 2


async def test_a_turn_that_is_too_short_is_thrown_away(terminal: Terminal) -> None:
    """A key pressed twice by mistake asks nothing; other keys do nothing; Ctrl-D leaves."""
    async with talking(terminal) as user:
        await user.presses("xyz  ", "nothing is below 100 ms")
        await user.leaves(CTRL_D)

    assert others(user.peer) == ["input_audio_buffer.clear"] * 2


async def test_the_next_turn_may_begin_at_once(terminal: Terminal) -> None:
    """The turn before it is committed first, and nothing of it is lost."""
    async with talking(terminal) as user:
        await user.presses(" ", TALKING)
        await user.says(SPEECH, 6)
        await user.presses("  ", TALKING)
        await user.leaves()

    assert others(user.peer)[:3] == [TURN[0], TURN[1], TURN[0]]
    assert user.said()[:6] == [SPEECH] * 6


async def test_the_terminal_gives_keys_at_once_and_is_given_back_where_the_run_is_cancelled(
    terminal: Terminal,
) -> None:
    """No key is shown, Ctrl-C stays a signal, and the next program finds the terminal as it was."""
    async with talking(terminal):
        flags = termios.tcgetattr(terminal.side)[3]

        assert not flags & (termios.ICANON | termios.ECHO)
        assert flags & termios.ISIG


def test_without_a_terminal_of_its_own_push_to_talk_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """There has to be a terminal, and only one session may read its keys."""
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(InputError, match="push-to-talk needs a terminal, and standard input is none"):
            check_terminal(is_alone=True)
        with pytest.raises(InputError, match="push-to-talk needs the terminal for itself"):
            check_terminal(is_alone=False)
