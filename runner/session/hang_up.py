"""The model's own way to end a session: it says good-bye, and the session ends once that was heard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio

from runner.tools.end_session import END_SESSION_TOOL
from runner.tools.tool_source import CallAnswer

if TYPE_CHECKING:
    from runner.protocol.effects import ResponseEnded, SpeechStarted
    from runner.protocol.rounds import Round
    from runner.session.carriage import Carriage
    from runner.tools.tool_source import JsonObject, OfferedTool

_LOOK_S: Final = 0.1
"""How often it is looked whether the good-bye is still said or heard, in seconds: time alone changes that."""
_UNSAID_S: Final = 5.0
"""How long a Live model may be silent, in seconds, before it has said its good-bye before it called."""

_ANSWER = "The session ends once the user has heard what you say. Say good-bye now, in a few words, unless you have."


class HangUp:
    """The tool `end_session`, and how far the end is that it asks for; a source of one tool.

    Args:
        carriage: Where the session is.

    Attributes:
        is_wished: Whether the model has called it.
        is_due: Whether the good-bye is said, and only to be heard yet.
    """

    def __init__(self, carriage: Carriage) -> None:
        self.is_wished = False
        self.is_due = False
        self._carriage = carriage
        self._turn_id = ""
        self._since_s: float | None = None
        """Since when a Live model has its good-bye to say, or is silent; None while it has none."""
        self._asked_s = 0.0
        """When it was asked for that, by the client's clock, in seconds."""
        self._has_spoken = False
        """Whether it has said something since."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Nothing needs to be open."""
        yield

    def tools(self) -> Sequence[OfferedTool]:
        """The one tool."""
        return [END_SESSION_TOOL]

    async def call(self, _name: str, _arguments: JsonObject) -> CallAnswer:
        """Note the wish."""
        self.is_wished = True
        return CallAnswer(_ANSWER)

    async def heard(self) -> None:
        """Wait until the good-bye is said and was heard to its end; who speaks over it goes on with the session."""
        while not self.is_due or self._carriage.is_playing:
            with anyio.move_on_after(_LOOK_S if self._carriage.is_playing or self._since_s is not None else None):
                await self._carriage.changes.next()
            self._look()

    def is_said(self, round_: Round) -> bool:
        """Whether the response that called it, and nothing else, has said good-bye already; the end is due then."""
        if round_.has_words and len(round_.calls) == 1:
            self._fall_due()
        return self.is_due

    def follow(self, turn_id: str) -> None:
        """The good-bye is asked for with a request of this turn."""
        self._turn_id = turn_id

    def follow_speech(self) -> None:
        """The good-bye is what a Live model says until it is silent and nothing is being done for it."""
        self._since_s = self._asked_s = self._carriage.state.clock()
        self._has_spoken = False
        self._carriage.changes.notify()

    def hear(self, speech: SpeechStarted) -> None:
        """The user begins to speak; who does that after a Live model was asked for its good-bye goes on."""
        began_s = self._carriage.state.live.started_s + speech.audio_ms / 1000
        if self._since_s is not None and began_s > self._asked_s:
            self.abandon()

    def take(self, ended: ResponseEnded) -> None:
        """A response is over; where it was the good-bye, the end is due, unless the user spoke over it."""
        self._has_spoken |= ended.status == "completed"
        if not self._turn_id or ended.request_id != self._turn_id or ended.is_step or self.is_due:
            return
        if ended.status == "cancelled":
            self.abandon()
        else:
            self._fall_due()

    def abandon(self) -> None:
        """Go on: the user has something more to say."""
        self.is_wished = self.is_due = False
        self._turn_id, self._since_s = "", None

    def _look(self) -> None:
        """Look whether a Live model has said its good-bye: no event says so."""
        if self._since_s is None or self.is_due:
            return
        state = self._carriage.state
        if state.live.is_delegating or "assistant" in state.live.voices or (state.kind != "live" and state.busy):
            self._since_s = state.clock()
        elif (self._has_spoken and not state.live.has_unsaid_result) or state.clock() - self._since_s >= _UNSAID_S:
            self._fall_due()

    def _fall_due(self) -> None:
        self.is_due = True
        self._carriage.changes.notify()
