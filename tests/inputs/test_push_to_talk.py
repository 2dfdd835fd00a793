"""Push-to-talk, by somebody whose every piece of speech a test decides."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest
from anyio.streams.memory import MemoryObjectSendStream

from runner.errors import InputError
from runner.inputs.answer_stop import AnswerStop
from runner.inputs.push_to_talk import PushToTalk, keyboard_of
from runner.inputs.sender import Sender
from runner.standard_streams import STDERR
from runner.terminal.keyboard import Keyboard
from runner.terminal.screen import Screen
from tests.helpers.hearing_peers import BY_HAND, RATE, PlayedAnswers, confirming, others, pieces, session_with, tone
from tests.helpers.peer import Peer

pytestmark = pytest.mark.anyio

IDLE, TALKING = "space: speak", "space: done"
TURN = ["input_audio_buffer.clear", "input_audio_buffer.commit", "response.create"]
SPEECH, SILENCE, NOISE = tone(0.02), bytes(960), b"\x11" * 960
"""What is said in a turn, what surrounds it while keys are pressed, and what nobody is to hear."""


class User:
    """Somebody who speaks, presses keys and looks at the live line."""

    def __init__(self, speech: MemoryObjectSendStream[bytes], peer: Peer) -> None:
        self.answers = PlayedAnswers()
        self.keyboard = Keyboard()
        self.line: Callable[[], str] = str
        self.peer = peer
        self._speech = speech

    async def says(self, piece: bytes, times: int) -> None:
        """Say a piece of 20 ms again and again; each is dealt with before the next one, or whatever follows."""
        for _ in range(times):
            await self._speech.send(piece)
            while (receiver := self._speech.statistics()).open_receive_streams and not receiver.tasks_waiting_receive:
                await anyio.lowlevel.checkpoint()

    async def sees(self, text: str, piece: bytes = SILENCE) -> None:
        """Say a piece until the live line says this."""
        while text not in self.line():
            await self.says(piece, 1)

    async def presses(self, keys: str, text: str) -> None:
        """Press keys, and wait until the live line says this."""
        for key in keys:
            self.keyboard.put(key)
        while self.keyboard.waiting:
            await anyio.lowlevel.checkpoint()
        await self.says(SILENCE, 1)
        await self.sees(text)

    async def leaves(self, key: str | None = "q") -> None:
        """Leave; returns when nobody listens any more."""
        if key:
            self.keyboard.put(key)
        else:
            self.keyboard.leave()
        with pytest.raises(anyio.BrokenResourceError):
            await self.says(NOISE, 10_000)

    def said(self) -> list[bytes]:
        """What the endpoint has heard besides silence."""
        return [piece for piece in pieces(self.peer) if any(piece)]


@asynccontextmanager
async def talking() -> AsyncIterator[User]:
    """Push-to-talk with somebody who looks at its live line."""
    sending, receiving = anyio.create_memory_object_stream[bytes](0)
    async with session_with(confirming, audio=BY_HAND) as (session, peers):
        user = User(sending, peers[0])
        push_to_talk = PushToTalk(Sender(session, rate=RATE), AnswerStop(session, user.answers), user.keyboard)
        user.line = lambda: push_to_talk.live_line("thinking" if session.state.busy else "", "")

        async def talk() -> None:
            with receiving:
                await push_to_talk.run(receiving)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(talk)
            with sending:
                await user.sees(IDLE, NOISE)
                yield user
            tasks.cancel_scope.cancel()
        await session.wait_idle()
    user.keyboard.close()


async def test_the_audio_between_two_presses_is_a_turn_and_nothing_else_is_sent() -> None:
    """A turn begins with an empty buffer, interrupts what is heard, and is answered."""
    async with talking() as user:
        for _ in range(2):
            await user.says(NOISE, 3)
            await user.presses(" ", TALKING)
            await user.says(SPEECH, 6)
            await user.presses(" ", IDLE)
        await user.leaves()

    assert others(user.peer) == TURN * 2
    assert user.said() == [SPEECH] * 12
    assert user.answers.interrupted >= 2


async def test_a_turn_that_is_too_short_is_thrown_away() -> None:
    """A key pressed twice by mistake asks nothing; other keys do nothing; Ctrl-D leaves."""
    async with talking() as user:
        await user.presses("xyz  ", "nothing is below 100 ms")
        await user.leaves(None)

    assert others(user.peer) == ["input_audio_buffer.clear"] * 2


async def test_the_next_turn_may_begin_at_once() -> None:
    """The turn before it is committed first, and nothing of it is lost."""
    async with talking() as user:
        await user.presses(" ", TALKING)
        await user.says(SPEECH, 6)
        await user.presses("  ", TALKING)
        await user.leaves()

    assert others(user.peer)[:3] == [TURN[0], TURN[1], TURN[0]]
    assert user.said()[:6] == [SPEECH] * 6


def test_without_a_terminal_of_its_own_push_to_talk_is_refused() -> None:
    """There has to be one, whose keys are read."""
    deaf = Screen(STDERR, "")
    for screen in (None, deaf):
        with pytest.raises(InputError, match="push-to-talk needs a terminal for itself"):
            keyboard_of(screen)
    deaf.keyboard.close()
