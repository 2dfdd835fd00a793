"""The audio that a Live session has to get all the time: where the input has none, near-silence."""

from __future__ import annotations

import random
from array import array
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final

import anyio

from runner.connect.loop_clock import loop_clock
from runner.errors import IllegalEvent
from runner.session.link import NotSent

if TYPE_CHECKING:
    from runner.audio.format import AudioFormat
    from runner.session.carriage import Carriage
    from runner.session.link import Link

FRAME_S: Final = 0.1
"""What the input leaves empty is filled when it has lasted so long, with a piece as long, in seconds."""
AHEAD_S: Final = 0.25
"""So much audio may be sent ahead of its time, in seconds; more of it waits."""
_MOST_BEHIND_S: Final = 1.0
"""What a process that stood still for longer has missed is not made up for, in seconds."""
_HELD_UP_S: Final = 0.02
"""Who wakes later than this was held up by a busy process, in seconds."""
_LOUDEST: Final = 4
"""How far noise is from silence, in 16-bit samples: 78 dB below full scale, which nobody hears."""


class SteadyStream:
    """Keeps the audio of one session going, in the pace of the clock.

    Args:
        carriage: Where the session is.
    """

    def __init__(self, carriage: Carriage) -> None:
        self._carriage = carriage
        self._clock = loop_clock()
        self._link: Link | None = None
        self._until_s = 0.0
        """Up to which time audio was sent, on the event loop's clock, in seconds."""
        self._alarm: anyio.CancelScope | None = None
        """Wakes who fills the stream when something has to be filled, None while nobody sleeps."""

    async def room(self, size_bytes: int) -> None:
        """Wait until audio of this size may be sent to a Live session, and count it as sent."""
        if self._carriage.state.kind != "live":
            return
        duration_s = self._carriage.state.configuration.input_format.seconds(size_bytes)
        while (ahead_s := self._until_s - (now_s := self._clock()) - AHEAD_S) > 0:  # noqa: ASYNC110  # time alone changes it
            await anyio.sleep(ahead_s)
        self._until_s = max(self._until_s, now_s) + duration_s
        if self._alarm is not None and self._alarm.deadline < now_s + duration_s + _HELD_UP_S:
            # As long as the input has audio, nobody wakes; where pieces are short, not every one moves the alarm.
            self._alarm.deadline = self._until_s + FRAME_S

    async def run(self) -> None:
        """Fill what the input leaves empty until the session is over."""
        carriage = self._carriage
        while not carriage.is_over:
            link = carriage.link
            if link is None or link.pump.is_over or link.state.closing.is_asked or link.state.kind != "live":
                await carriage.changes.next()
                continue
            now_s = self._clock()
            if link is not self._link or now_s - self._until_s > _MOST_BEHIND_S:
                self._link, self._until_s = link, max(self._until_s, now_s)
            due_s = self._until_s + FRAME_S
            if now_s < due_s:
                if await self._overslept_s(due_s) > _HELD_UP_S:
                    # What has held this task up has held up the input too, which comes first.
                    await anyio.sleep(_HELD_UP_S)
                continue
            self._until_s += FRAME_S
            with suppress(NotSent, IllegalEvent):
                # A connection that has just ended, or a session that has, needs no silence.
                await link.append_audio(_near_silence(link.state.configuration.input_format))

    async def _overslept_s(self, due_s: float) -> float:
        """Sleep until what the input leaves empty has to be filled; returns by how much longer it was, in seconds."""
        with anyio.CancelScope(deadline=due_s) as self._alarm:
            await anyio.sleep_forever()
        alarm, self._alarm = self._alarm, None
        return self._clock() - alarm.deadline


@cache
def _near_silence(form: AudioFormat) -> bytes:
    """A piece of noise that nobody hears: the same for all sessions of a process."""
    samples = random.Random(0).choices(range(-_LOUDEST, _LOUDEST + 1), k=round(form.rate * FRAME_S))  # noqa: S311  # hides nothing
    return form.encode(array("h", samples).tobytes())
