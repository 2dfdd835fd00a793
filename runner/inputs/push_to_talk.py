"""Push-to-talk: the space bar starts a turn and ends it, and only the audio between is sent."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import anyio

from runner.errors import InputError, RunnerError
from runner.inputs.sender import SHORTEST_TURN_MS

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from runner.inputs.answer_stop import AnswerStop
    from runner.inputs.meter import LevelMeter
    from runner.inputs.sender import Sender
    from runner.terminal.keyboard import Keyboard
    from runner.terminal.screen import Screen

LEAVE: Final = ("q", "Q", None)
"""The keys that end a spoken session; None is Ctrl-D, or a terminal that has gone."""
_SPACE = " "
_MOST_KEYS = 64


def keyboard_of(screen: Screen | None) -> Keyboard:
    """The keyboard whose keys belong to this session.

    Args:
        screen: The terminal, where the run has one for itself.

    Raises:
        InputError: There is none.
    """
    if screen is None or not screen.reads_keyboard:
        msg = "push-to-talk needs a terminal for itself, whose keys it reads and on which it shows what they do"
        raise InputError(msg, hint="leave `input.push_to_talk` out, and let turn detection find the turns")
    return screen.keyboard


class PushToTalk:
    """Turns that the user begins and ends by a key.

    Args:
        sender: Sends audio to the session.
        answer_stop: Stops the answer before, when a turn begins.
        keyboard: The keys that are pressed.
        meter: Shows how loud a turn is, None where nobody looks.
    """

    def __init__(
        self,
        sender: Sender,
        answer_stop: AnswerStop,
        keyboard: Keyboard,
        meter: LevelMeter | None = None,
    ) -> None:
        self._sender = sender
        self._session = sender.session
        self._answer_stop = answer_stop
        self._keyboard = keyboard
        self._meter = meter
        self._keys: deque[str | None] = deque(maxlen=_MOST_KEYS)
        self._problem: RunnerError | None = None
        self._is_too_short = False
        self.is_talking = False
        """Whether a turn is being spoken."""

    async def run(self, pieces: AsyncIterator[bytes]) -> None:
        """Take turns until the user leaves or the audio ends.

        Args:
            pieces: 16-bit samples; what comes between turns is dropped.

        Raises:
            RunnerError: The session has ended.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_keys)
            await self._take_turns(pieces, tasks)
            tasks.cancel_scope.cancel()
        if self._problem:
            raise self._problem

    def live_line(self, state: str, meter: str) -> str:
        """What the live line says: what goes on, and what the keys do.

        Args:
            state: What the session does, nothing where it waits for a turn.
            meter: How loud the microphone is.
        """
        if self.is_talking:
            return f"recording  {meter}   space: done, q: leave"
        if self._is_too_short:
            return f"nothing is below {SHORTEST_TURN_MS} ms   space: speak, q: leave"
        return f"{state or 'ready':<10} space: {'interrupt' if state else 'speak'}, q: leave"

    async def _take_turns(self, pieces: AsyncIterator[bytes], tasks: TaskGroup) -> None:
        """Handle keys between two pieces of audio, so that a turn holds exactly the pieces between its keys."""
        try:
            async for piece in pieces:
                while self._keys:
                    key = self._keys.popleft()
                    if key in LEAVE:
                        return
                    if key == _SPACE:
                        await (self._end_turn(tasks) if self.is_talking else self._begin_turn(tasks))
                if self._problem:
                    return
                if self.is_talking:
                    if self._meter:
                        self._meter.take(piece)
                    await self._sender.send_samples(piece)
        except RunnerError as error:
            self._problem = self._problem or error

    async def _begin_turn(self, tasks: TaskGroup) -> None:
        tasks.start_soon(self._answer_stop.stop)
        await self._session.send({"type": "input_audio_buffer.clear"})
        self._sender.begin_turn()
        self.is_talking, self._is_too_short = True, False

    async def _end_turn(self, tasks: TaskGroup) -> None:
        self.is_talking = False
        if self._sender.turn_ms < SHORTEST_TURN_MS:
            await self._session.send({"type": "input_audio_buffer.clear"})
            self._is_too_short = True
            return
        await self._sender.commit("what was said")
        # The answer may have to wait for the end of the one before; the keys must not.
        tasks.start_soon(self._ask)

    async def _ask(self) -> None:
        self._answer_stop.renew()
        try:
            await self._sender.ask()
            await self._session.wait_answered()
        except RunnerError as error:
            self._problem = self._problem or error

    async def _watch_keys(self) -> None:
        while True:
            key = await self._keyboard.next()
            self._keys.append(key)
            if key is None:
                return
